package docs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gonsrun/internal/lessontest"
)

// pictures are those of the README: one as wide as a page and in few lines, so
// that what to type stands below it, and one for a phone.
var pictures = []struct {
	name    string
	columns int
	flag    string
}{
	{"picture.svg", 80, "-short "},
	{"picture-narrow.svg", 54, ""},
}

// pictured is what is typed in them: the first line at the prompt of one's own
// shell, the others in the container.
var pictured = []string{
	"go run -exec sudo ./step03-pid %srun /bin/sh",
	"hostname; echo I am number $$",
	"exit",
}

// The pictures show what a terminal shows now. -update draws them anew.
func TestPicture(t *testing.T) {
	lessontest.NeedRoot(t)
	lessontest.NeedTool(t, "bash")
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Skip("the README is not here")
	}
	desk := newDesk(t)
	desk.build(t, &page{lines: []string{"$ " + pictured[0]}})
	folder := neutral(t, desk.root)
	for _, p := range pictures {
		t.Run(strings.TrimSuffix(p.name, ".svg"), func(t *testing.T) {
			if !strings.Contains(string(readme), "docs/"+p.name) {
				t.Errorf("the README does not show docs/%s", p.name)
			}
			first := fmt.Sprintf(pictured[0], p.flag)
			rows := screen(desk.session(t, folder, p.columns, append([]string{first}, pictured[1:]...)), p.columns)
			now := draw(rows, p.columns, "A terminal: "+first)
			actual, err := drawn([]byte(now))
			if err != nil {
				t.Fatal(err)
			}
			was, err := os.ReadFile(p.name)
			if err != nil && !*update {
				t.Fatal(err)
			}
			expected, err := drawn(was)
			if err == nil && newScope("").match(machines(expected), machines(actual)) == "" {
				return
			}
			if !*update {
				t.Fatalf("docs/%s is another (%v). Type: go test ./docs -run TestPicture -update\n  in the picture:\n    %s\n  now:\n    %s", p.name, err,
					strings.Join(expected, "\n    "), strings.Join(actual, "\n    "))
			}
			if err := os.WriteFile(p.name, []byte(now), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// neutral returns a path for the repository that is nobody's.
func neutral(t *testing.T, repository string) string {
	t.Helper()
	const folder = "/srv"
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		t.Skip("there is no folder " + folder)
	}
	here, err := os.Open(repository)
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	path := filepath.Join(folder, "gonsrun")
	err = unix.Mount("tmpfs", folder, "tmpfs", 0, "")
	if err == nil {
		t.Cleanup(func() { unix.Unmount(folder, unix.MNT_DETACH) })
		err = errors.Join(os.Mkdir(path, 0o755), unix.Mount(fmt.Sprintf("/proc/self/fd/%d", here.Fd()), path, "", unix.MS_BIND, ""))
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// session types lines on a terminal with colors, and returns all that it shows.
func (d *desk) session(t *testing.T, folder string, columns int, lines []string) string {
	t.Helper()
	// NewTerminal leaves a descriptor open, 3; a terminal window does not.
	command := exec.Command("sh", "-c", "exec bash --norc --noprofile --noediting -i 3>&-")
	command.Dir = folder
	command.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "PATH=") || strings.HasPrefix(v, "XDG_") || strings.HasPrefix(v, "NO_COLOR=")
	}), "PATH="+d.path, "PS1=$ ", "TERM=xterm-256color", "LC_ALL=C.UTF-8", "HISTFILE=", "CI=")
	d.reality(t, false)
	s := &shell{t: t, term: lessontest.NewTerminal(t, columns, command)}
	s.wait("")
	before := s.read - len(s.prompt)
	for _, line := range lines {
		s.typeLine(line)
	}
	if s.prompt != "$ " {
		t.Fatalf("at the end the terminal is at %q", s.prompt)
	}
	// The narrator goes to the beginning of a line by as many spaces as there are
	// columns and a carriage return, which Screen leaves out.
	shown := strings.TrimSuffix(s.term.Screen()[before:], "\n"+s.prompt)
	fresh := strings.Repeat(" ", columns)
	return strings.ReplaceAll(shown, fresh, fresh+"\r")
}

// count is what the board says of sets, such as the capabilities that a machine
// has to give.
var count = regexp.MustCompile(`\b\d+ of \d+\b`)

// machines leaves out what differs between machines.
func machines(lines []string) []string {
	return strings.Split(count.ReplaceAllString(strings.Join(lines, "\n"), anything), "\n")
}
