package docs

import (
	"slices"
	"strings"
	"testing"
)

// What the notation lets pass, and what it does not.
func TestNotation(t *testing.T) {
	for _, c := range []struct {
		name, prose, expected, actual string
		same                          bool
	}{
		{"the same", "", "container", "container", true},
		{"another text", "", "container", "laptop", false},
		{"a missing line", "", "a\nb", "a", false},
		{"one line more", "", "a", "a\nb", false},
		{"another pid", "", "NSpid: 4250 1", "NSpid: 117 1", true},
		{"a small number is exact", "", "NSpid: 4250 1", "NSpid: 117 2", false},
		{"0 is no pid", "", "= 4250", "= 0", false},
		{"one pid twice", "", "4250 and 4250", "117 and 117", true},
		{"one pid that became two", "", "4250 and 4250", "117 and 118", false},
		{"a number that the prose names", "64 MiB are 67108864 bytes", "limit 67108864", "limit 1000000", false},
		{"a piece left out", "", "BusyBox v… shell", "BusyBox v1.37.0 (Debian) shell", true},
		{"lines left out", "", "first\n…\nlast", "first\n2\n3\nlast", true},
		{"left out to the end", "", "first\n…", "first\n2\n3", true},
		{"nothing left out", "", "first\n…\nlast", "first\nlast", true},
		{"lines left out, but not the last one", "", "first\n…\nlast", "first\n2\n3", false},
		{"a container's id", "", "gonsrun-8270f593b0b9", "gonsrun-5798dae88348", true},
		{"another label", "", " host 4242       │ said", " container 1     │ said", false},
		{"broken at another place", "",
			" host 4242       │ waitid(P_PID, 4250, …,\n                 │ NULL)  man 2 waitid\n                 │ = 0",
			" host 4194301    │ waitid(P_PID, 4194304,\n                 │ …, NULL)\n                 │ = 0", true},
		{"the program's line, beside another piece", "",
			" host 4242       │ A new process begins,\n main.go:48      │ in new namespaces.",
			" host 4194301    │ A new process begins, in new\n main.go:48      │ namespaces.", true},
		{"a speaker, and all the rest left out", "", " host 4242       │ …", " host 711        │ begins\n main.go:48      │ = 0\nend", true},
		{"the rest of a speaker left out, and others", "", " host 4242       │ begins\n                 │ …\nend", " host 711        │ begins\n main.go:48      │ = 0\n host 711        │ waits\nend", true},
		{"another line of the program", "", " host 4242       │ begins\n main.go:48      │ = 0", " host 4242       │ begins\n main.go:50      │ = 0", false},
		{"a whole program", "",
			" host 4242   │ A file system in memory.\n root        │ mount(…) = 0  man 2 mount\n child.go:101│ and one more: pts",
			" host 4194301 │ A file system in memory.\n root        │ mount(…) = 0\n child.go:101│ and one more: pts", true},
		{"another chapter", "", " host 4242   │ mount(…)\n root        │ = 0", " host 4242   │ mount(…)\n devices     │ = 0", false},
		{"another line, below a chapter", "", " host 4242   │ 1\n the command │ 2\nchild.go:101 │ 3", " host 4242   │ 1\n the command │ 2\nchild.go:102 │ 3", false},
		{"a chapter, the pid outside and a line, and all left out", "", " container 1 │ mount(…)\n             │ …", " container 1 │ mount(…)\n root        │ = 0\n = 117       │ seen\nchild.go:101 │ 2", true},
		{"of a chapter, the pid outside and a line, two left out", "", " container 1 │ mount(…)\n = 4250      │ …", " container 1 │ mount(…)\n root        │ = 0\n = 117       │ seen\nchild.go:101 │ 2", true},
		{"the pid outside, of who was made", "", " host 4242   │ clone(…) = 4250\n container 1 │ setsid()\n = 4250      │ = 1", " host 7       │ clone(…) = 117\n container 1 │ setsid()\n = 117       │ = 1", true},
		{"the pid outside, of somebody else", "", " host 4242   │ clone(…) = 4250\n container 1 │ setsid()\n = 4250      │ = 1", " host 7       │ clone(…) = 117\n container 1 │ setsid()\n = 118       │ = 1", false},
		{"a side that is made shorter", "", " cont. 4250  │ setsid()", "container 117│ setsid()", true},
		{"a place that takes all of the column", "", " host 4242   │ begins\nexplain.go:29│ = 0", " host 4242   │ begins\nexplain.go:30│ = 0", false},
		{"another answer", "", " host 4242       │ close(3)\n                 │ = 0", " host 4242       │ close(3)\n                 │ = -1", false},
	} {
		problem := newScope(c.prose).match(strings.Split(c.expected, "\n"), strings.Split(c.actual, "\n"))
		if (problem == "") != c.same {
			t.Errorf("%s: %q and %q: %q", c.name, c.expected, c.actual, problem)
		}
	}
}

// A command is typed with the numbers of this run.
func TestCommandNumbers(t *testing.T) {
	s := newScope("")
	s.match([]string{"= 4250"}, []string{"= 117"})
	if typed := s.command("grep NSpid /proc/4250/status; kill 4310"); typed != "grep NSpid /proc/117/status; kill 4310" {
		t.Errorf("typed %q", typed)
	}
}

// -update replaces what is no longer right, and nothing else.
func TestRenew(t *testing.T) {
	for _, c := range []struct{ name, expected, actual, want string }{
		{"nothing yet", "", "a\nb", "a\nb"},
		{"a changed line", "a\nold\nc", "a\nnew\nc", "a\nnew\nc"},
		{"a number of a line that stays", "old\n = 4250", " host 711        │ new 11711\n = 11711", " host 711        │ new 4250\n = 4250"},
		{"a column stays", " host 4242       │ old\n 4242", " host 11711      │ new\n 11711", " host 4242       │ new\n 4242"},
		{"a narrow column stays", " host 4242   │ same\n = 4250      │ old", " host 11711  │ same\n = 1234567   │ new\nexplain.go:29│ pid 11711", " host 4242   │ same\n = 1234567   │ new\nexplain.go:29│ pid 4242"},
		{"narrated, and not", "                 │   type this", "  type this", "  type this"},
		{"a number stays", "pid 4250\nold", "pid 117\nnew", "pid 4250\nnew"},
		{"a gap stays", "a\n…\nold", "a\n1\n2\nnew", "a\n…"},
		{"a gap before a line that is still there", "a\n…\nz\nold", "a\n1\n2\nz\nnew", "a\n…\nz\nnew"},
	} {
		var expected []string
		if c.expected != "" {
			expected = strings.Split(c.expected, "\n")
		}
		got := newScope("").renew(expected, strings.Split(c.actual, "\n"))
		if !slices.Equal(got, strings.Split(c.want, "\n")) {
			t.Errorf("%s: %q, expected %q", c.name, got, c.want)
		}
	}
}

func TestDifference(t *testing.T) {
	lines := strings.Fields("a b c d e f g h i j k l")
	changed := strings.Fields("a b c D e f g h i j k l m")
	want := strings.Split("--- old\n+++ new\n@@ -2,5 +12,5 @@\n b\n c\n-d\n+D\n e\n f\n@@ -11,2 +21,3 @@\n k\n l\n+m", "\n")
	if got := difference(listing{"old", 0, lines}, listing{"new", 10, changed}); !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nexpected:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
