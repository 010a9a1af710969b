package check

import (
	"slices"
	"strings"
)

// promise is what a lesson promises, and how a run is held against it: broken
// returns why it is not kept, "" when it is.
type promise struct {
	lesson int
	text   string
	broken func(*run) string
}

// promises are those of all lessons, in the order in which they are built.
var promises = []promise{
	{1, "The command runs, with the arguments that were typed.", (*run).noCommand},
	{1, "Your program waits until the command ends.", (*run).noEnd},
	{2, "The container has a hostname of its own.", (*run).noHostname},
	{2, "The host's hostname is untouched.", (*run).hostRenamed},
	{3, "The command is number 1 of its own PID namespace.", (*run).notNumber1},
	{4, "The container's / is another folder.", (*run).noRoot},
	{4, "The working directory is inside.", (*run).outside},
	{5, "The container has a mount namespace of its own.", (*run).noMountNamespace},
	{5, "Its /proc lists its own processes, and no others.", (*run).noProc},
	{5, "The host's mount table is untouched.", (*run).mountsEscape},
	{6, "The command is in a cgroup of its own.", (*run).noGroup},
	{6, "At most 20 tasks, 64 MiB of memory, half a CPU.", (*run).noLimits},
	{6, "The cgroup is removed at the end.", (*run).groupLeft},
}

// Promises are what a lesson promises, one sentence each.
func Promises(lesson int) (texts []string) {
	for _, p := range promises {
		if p.lesson == lesson {
			texts = append(texts, p.text)
		}
	}
	if lesson == 6 {
		texts = append(texts, afterKillText)
	}
	return texts
}

const afterKillText = "It is removed, too, when your program is killed."

// suggested is the lesson whose calls a program makes, for one that runs no command.
func (r *run) suggested() int {
	calls := r.find("clone", "clone3", "unshare")
	groups := where(r.find("mkdir", "mkdirat"), func(c *call) bool { return strings.HasPrefix(c.path, "/sys/fs/cgroup") })
	switch {
	case len(groups) > 0:
		return 6
	case asked(calls, newNS) != nil || len(r.find("mount")) > 0:
		return 5
	case len(r.rootChanges()) > 0:
		return 4
	case asked(calls, newPID) != nil:
		return 3
	case asked(calls, newUTS) != nil:
		return 2
	}
	return 1
}

// judge holds a run against the promises up to a lesson's, and stops at the first
// that is broken.
func judge(r *run, lesson int) (verdicts []Verdict) {
	all := promises
	if lesson == 1 {
		all = append(slices.Clone(all[:1]), promise{1, "It is a new process, and not your program itself.", (*run).notNew}, all[1])
	}
	for _, p := range all {
		if p.lesson > lesson || p.lesson == 6 && r.look != nil && len(r.look.limits) == 0 {
			continue
		}
		cause := p.broken(r)
		if cause == "" && r.look == nil && p.lesson > 1 {
			cause = r.neverSeen()
		}
		verdicts = append(verdicts, Verdict{Lesson: p.lesson, Right: cause == "", Promise: p.text, Cause: cause})
		if cause != "" {
			break
		}
	}
	return verdicts
}

// Flags of clone(2), unshare(2) and mount(2), which other systems do not have.
const (
	newNS   = 0x00020000
	newUTS  = 0x04000000
	newUser = 0x10000000
	newPID  = 0x20000000

	msRemount = 0x20
	msBind    = 0x1000
	msRec     = 0x4000
	msPrivate = 1 << 18
	msSlave   = 1 << 19
	msShared  = 1 << 20
	msAlone   = 1<<17 | msPrivate | msSlave // no longer a peer of the host's
)
