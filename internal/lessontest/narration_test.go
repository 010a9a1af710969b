//go:build linux

package lessontest

import "testing"

// What a run says of its tree's root is one of the true stories, told in order.
func TestLeafStory(t *testing.T) {
	const (
		leaf  = `There are processes in this group. mkdirat(AT_FDCWD, "/sys/fs/cgroup/gonsrun-leaf", 0755) = 0`
		moves = `The process with this pid moves. write(3</sys/fs/cgroup/gonsrun-leaf/cgroup.procs>, "1", 1) = 1`
		gone  = `unlinkat(AT_FDCWD, "/sys/fs/cgroup/gonsrun-leaf", AT_REMOVEDIR) = 0`
		down  = `In v2 a group gets controllers from its parent. write(3</sys/fs/cgroup/cgroup.subtree_control>, "+pids", 5) = 5`
		up    = `The last group is gone. write(3</sys/fs/cgroup/cgroup.subtree_control>, "-pids", 5) = 5`
		other = `chdir("/") = 0`
	)
	for _, test := range []struct {
		said []string
		is   bool
	}{
		{[]string{down, other}, true},
		{[]string{down, other, up, moves}, true},
		{[]string{leaf, moves, moves, down, other}, true},
		{[]string{leaf, moves, down, other, up, moves, moves}, true},
		{[]string{leaf, moves, down, other, up, moves, gone}, true},
		{[]string{leaf, down}, true}, // somebody else has moved them
		{[]string{other}, false},
		{[]string{leaf, down, gone}, false},
		{[]string{moves, down}, false},
		{[]string{leaf, down, moves}, false},
		{[]string{leaf, moves}, false},
		{[]string{down, moves}, false},
		{[]string{down, up, leaf}, false},
	} {
		story := ""
		for _, said := range test.said {
			story += leafLetter(said)
		}
		if leafStory.MatchString(story) != test.is {
			t.Errorf("%q is a true story: %v, expected %v", test.said, !test.is, test.is)
		}
	}
}
