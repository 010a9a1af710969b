package gotool

import (
	"slices"
	"testing"
)

func TestMistakes(t *testing.T) {
	const folder = "mine"
	for output, expected := range map[string][2][]string{
		"# gonsrun/mine\n./main.go:57:2: declared and not used: x\n./main.go:57:10: declared and not used: y\n" +
			"./main.go:57:69: not enough arguments in call to unix.Exec\n\thave (string)\n\twant (string, []string, []string)\n\tand more\n" +
			"./main.go:57:75: undefined: z\n./main.go:58:75: undefined: q\n./main.go:58:75: too many errors": {
			{"mine/main.go:57:69: not enough arguments in call to unix.Exec", "have (string)", "want (string, []string, []string)",
				"(The call needs more values: above stand what it has, and what the function wants.)"},
			{"mine/main.go:57:75: undefined: z", "mine/main.go:58:75: undefined: q", "mine/main.go:57:2: declared and not used: x", "… and 1 more"},
		},
		"main.go:17:1: package foo/bar is not in std (/usr/lib/go/src/foo/bar)": {
			{"mine/main.go:17:1: package foo/bar is not in std (/usr/lib/go/src/foo/bar)", "(There is no such package. Is its path spelled right?)"},
		},
		"./main.go:40:11: declared and not used: err": {
			{"mine/main.go:40:11: declared and not used: err", "(Nothing looks at this error. In the next line:  must(err))"},
		},
		"../elsewhere/main.go:3:1: no sentence that we know": {{"../elsewhere/main.go:3:1: no sentence that we know"}},
		"go: the tool has a sentence without a file":         {{"go: the tool has a sentence without a file"}},
		"# gonsrun/mine": {{"# gonsrun/mine"}},
	} {
		first, others := (&DoesNotBuild{Output: output}).Mistakes(folder)
		if !slices.Equal(first, expected[0]) || !slices.Equal(others, expected[1]) {
			t.Errorf("of\n%s\nis shown %q, then %q,\nexpected %q, then %q", output, first, others, expected[0], expected[1])
		}
	}
}
