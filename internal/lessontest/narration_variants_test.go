//go:build linux

package lessontest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// underTest makes a program the one under test, for this test.
func underTest(t *testing.T, program string) {
	t.Helper()
	before := shared
	shared = scratch{dir: filepath.Dir(program), program: program}
	t.Cleanup(func() { shared = before })
}

// builtAs builds a lesson in a folder of its own that an ordinary user can read.
func builtAs(t *testing.T, name string, environment []string, args ...string) (program string) {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		os.Chmod(d, 0o755)
	}
	program = filepath.Join(dir, name)
	command, err := GoTool(append(append([]string{"build", "-buildvcs=false", "-o", program}, args...), "./"+name)...)
	if err != nil {
		Missing(t, "%v", err)
	}
	if caller, ok := sudoCaller(); ok {
		os.Chown(dir, caller.uid, caller.gid)
		defer os.Chown(dir, 0, 0)
	}
	command.Dir = NeedSource(t)
	command.Env = append(command.Env, environment...)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatal(&buildError{command, string(output), err})
	}
	return program
}

// However a lesson is built, the same calls are told with the same whys and
// lines, and they are the ones that strace sees.
func TestNarrationOfOtherBuilds(t *testing.T) {
	NeedRoot(t)
	watchSources()
	const name = "step06-cgroups"
	l := Lesson{Number: 6, Name: name}
	reference := ""
	for _, variant := range []struct {
		name        string
		environment []string
		args        []string
		needs       string
	}{
		{name: "as usual", environment: []string{"CGO_ENABLED=0"}},
		{name: "-trimpath", args: []string{"-trimpath"}},
		{name: "-s -w", args: []string{"-ldflags", "-s -w"}},
		{name: "pie", args: []string{"-buildmode=pie"}},
		{name: "pie, -trimpath, -s -w", args: []string{"-buildmode=pie", "-trimpath", "-ldflags", "-s -w"}},
		{name: "not inlined", args: []string{"-gcflags=all=-N -l"}},
		{name: "cgo", environment: []string{"CGO_ENABLED=1"}, args: []string{"-ldflags", "-linkmode=external"}, needs: "gcc"},
		{name: "-race", environment: []string{"CGO_ENABLED=1"}, args: []string{"-race"}, needs: "gcc"},
		{name: "Go 1.24", environment: []string{"GOTOOLCHAIN=go1.24.0", "CGO_ENABLED=0"}},
	} {
		t.Run(variant.name, func(t *testing.T) {
			if variant.needs != "" {
				NeedTool(t, variant.needs)
			}
			if strings.HasPrefix(variant.name, "Go ") {
				needToolchain(t, variant.environment[0])
			}
			underTest(t, builtAs(t, name, variant.environment, variant.args...))
			l.Type(t, "run", "true")
			compared = 0
			for _, example := range [][]string{{"run", "/bin/sh", "-c", "exit 3"}, {"run", "nosuchcommand"}} {
				l.compareRuns(t, nil, nil, example...)
			}
			t.Logf("%d calls compared", compared)
			var story []string
			result := l.Type(t, "-json", "run", "/bin/sh", "-c", "exit 3")
			for _, n := range result.Narrated() {
				story = append(story, n.Side+" "+n.Call+" "+n.File+":"+itoa(n.Line)+" "+n.Why)
			}
			text := strings.Join(story, "\n")
			if reference == "" {
				reference = text
				l.whysAreComments(t)
			}
			if text != reference {
				result.fail("the same calls, lines and whys as the usual build tells\n%s\nand not\n%s", reference, text)
			}
		})
	}
}

// needToolchain skips a test of another version of Go where that cannot be had.
func needToolchain(t *testing.T, setting string) {
	t.Helper()
	command, err := GoTool("version")
	if err != nil {
		Missing(t, "%v", err)
	}
	command.Dir = NeedSource(t)
	command.Env = append(command.Env, setting)
	if output, err := command.CombinedOutput(); err != nil {
		Missing(t, "%s cannot be had: %v\n%s", setting, err, output)
	}
}

// oddSource is a program with comments in Chinese that starts a program that is
// not there: the error is execve's, in the new process, and not clone's.
const oddSource = `//go:build linux

// Odd is a program of somebody's.
package main

import (
	_ "embed"
	"fmt"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/narrate"
)

//go:embed main.go
var source string

func main() {
	narrate.Watch(source)
	container := exec.Command("/no/such/program", "run")
	container.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUTS, Pdeathsig: unix.SIGKILL}
	// 一个新的进程在新的命名空间里开始：那里的名字和数字都是它自己的，主机的名字不会改变，因为它有自己的主机名。
	err := container.Start()
	fmt.Println(err)
	// 从现在开始，以斜线开头的每一条路径都从这里开始，这句话也很长很长，所以它必须被分成好几行才能放得下。
	unix.Chdir("/")
}
`

// buildOdd builds it: in the repository's place, as it needs internal packages.
func buildOdd(t *testing.T) (program string) {
	t.Helper()
	root := NeedSource(t)
	watchSources()
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		os.Chmod(d, 0o755)
	}
	replace, _ := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root, "odd", "main.go"): filepath.Join(dir, "main.go")}})
	os.WriteFile(filepath.Join(dir, "overlay.json"), replace, 0o644)
	os.WriteFile(filepath.Join(dir, "main.go"), []byte(oddSource), 0o644)
	program = filepath.Join(dir, "odd")
	if err := goBuild(root, program, "-overlay", filepath.Join(dir, "overlay.json"), "./odd"); err != nil {
		t.Fatal(err)
	}
	return program
}

// An execve that fails in a new process is told as that, on its side; the
// clone has worked; and no execve is told below the host's wait.
func TestNarrationOfFailedStart(t *testing.T) {
	NeedRoot(t)
	underTest(t, buildOdd(t))
	result := Lesson{Number: 2, Name: "odd"}.Type(t, "-json", "run", "it").PrintsMatch("no such file")
	var story []string
	for _, n := range result.Narrated() {
		story = append(story, strings.TrimSpace(n.Side+" "+n.Call+" "+n.Errno))
	}
	want := []string{"host clone", "container prctl", "container execve ENOENT", "host wait4", "host chdir"}
	if !slices.Equal(story, want) {
		result.fail("these calls are told: %v, and not %v", want, story)
	}
	text := Lesson{Number: 2, Name: "odd"}.Type(t, "run", "it")
	for _, b := range blocks(text.Stderr) {
		if failed := strings.Contains(b.text, "ENOENT"); failed != strings.Contains(b.text, `execve("/no/such/program"`) {
			text.fail("ENOENT is told of execve alone, and not of %s", b.text)
		}
		if strings.Contains(b.text, "ENOENT") && b.side != "container" {
			text.fail("execve is told of the container's side, and not of the %s's", b.side)
		}
	}
}

// Chinese letters take two columns each.
func TestNarrationInChinese(t *testing.T) {
	NeedRoot(t)
	underTest(t, buildOdd(t))
	for _, columns := range []int{40, 60, 80, 100, 200} {
		command := Lesson{Number: 2, Name: "odd"}.command("run", "it")
		term := NewTerminal(t, columns, command)
		term.Wait()
		expectNarrow(t, "Chinese comments on "+itoa(columns)+" columns", min(columns, 100), term.Raw())
		said := ""
		for _, b := range blocks(term.Raw()) {
			said += b.text
		}
		for _, comment := range regexp.MustCompile(`// \p{Han}.*`).FindAllString(oddSource, -1) {
			if !strings.Contains(said, strings.TrimPrefix(comment, "// ")) {
				t.Errorf("on %d columns the comment is not told whole: %s\n%s", columns, comment, said)
			}
		}
	}
}

// A set-user-ID command of an ordinary user's gets its rights, and the narrator
// says that it lets go.
func TestNarrationOfSetUserID(t *testing.T) {
	NeedRoot(t)
	underTest(t, builtAs(t, "step01-exec", []string{"CGO_ENABLED=0"}))
	id, err := exec.LookPath("id")
	if err != nil {
		Missing(t, "id is not installed")
	}
	text, err := os.ReadFile(id)
	if err != nil {
		t.Fatal(err)
	}
	special := filepath.Join(shared.dir, "special-id")
	if err := os.WriteFile(special, text, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(special, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	user := Lesson{Number: 1, Name: "step01-exec"}.AsOrdinaryUser(t)
	quiet := user.Type(t, "-quiet", "run", special, "-u")
	if quiet.Stdout != "0\n" {
		t.Skipf("set-user-ID programs get no rights in %s: is it mounted with nosuid?", shared.dir)
	}
	for _, flags := range [][]string{nil, {"-json"}, {"-short"}} {
		result := user.Type(t, append(flags, "run", special, "-u")...).Prints("0\n").Exits(0)
		if flags == nil {
			result.SaysMatch("lets go").SaysMatch("caps: the command's file is set-user-ID")
		}
	}
	// An ordinary command of the same user is not let go before its execve.
	ordinary := user.Type(t, "run", id, "-u").Prints("65534\n")
	if strings.Contains(unwrap(ordinary.Stderr), "lets go") {
		ordinary.fail("nothing about letting go")
	}
}
