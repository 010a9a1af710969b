package lessontest

import (
	"regexp"
	"slices"
	"strings"
)

// leafStory are the letters of what a run says of the cgroup tree's root: it
// hands controllers down, at once or after having moved the processes in it, and
// at the end may move them back. Which of it happens depends on what others do.
var leafStory = regexp.MustCompile(`^(d|lm*d)(um*r?)?$`)

var movesAnother = regexp.MustCompile(`cgroup\.procs>,"[1-9]`)

// leafLetter is a letter for what leafStory knows, "" for all else.
func leafLetter(said string) string {
	said = strings.ReplaceAll(said, " ", "")
	has := func(text string) bool { return strings.Contains(said, text) }
	switch {
	case has("/cgroup.subtree_control") && has(`,"-`):
		return "u"
	case has("/cgroup.subtree_control"):
		return "d"
	case has("mkdirat(") && has("/gonsrun-leaf"):
		return "l"
	case has("unlinkat(") && has("/gonsrun-leaf"):
		return "r"
	case movesAnother.MatchString(said):
		return "m"
	}
	return ""
}

// usesLeaf reports whether an account has a story of moved processes.
func usesLeaf(a account) bool {
	return slices.ContainsFunc(a.host, func(line string) bool { return strings.Contains(line, "/gonsrun-leaf") })
}

// withoutLeaf is an account without that story, which differs from run to run.
func withoutLeaf(a account) account {
	a.host = slices.DeleteFunc(slices.Clone(a.host), func(line string) bool { return leafLetter(line) != "" })
	return a
}
