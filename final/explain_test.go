//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"gonsrun/internal/lessontest"
)

// Explain becomes the command: its pid, stdin, stdout, environment, folder, exit
// status and what it ignores are as without, narrated or not.
func TestExplainBecomesTheCommand(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		const script = `echo $$; pwd; echo "$GONSRUN_TEST"; cat; grep SigIgn /proc/$$/status; ulimit -n; exit 7`
		for _, flags := range [][]string{{"-quiet", "explain"}, {"explain", "-quiet"}, {"explain", "-json"}, {"-json", "explain"}} {
			args := append(append([]string{lessontest.Program()}, flags...), "sh", "-c", script)
			// The shell says its pid and executes the line, which so has it, too.
			outer := commandOf(t, who, append([]string{"sh", "-c", `echo $$; trap '' INT HUP; exec "$@"`, "sh"}, args...)...)
			outer.Dir = "/usr"
			outer.Env = append(outer.Env, "GONSRUN_TEST=a b")
			result := lessontest.RunCommand(t, "typed\n", outer).Exits(7)
			lines := strings.Split(result.Stdout, "\n")
			if len(lines) < 7 || lines[0] != lines[1] || lines[2] != "/usr" || lines[3] != "a b" || lines[4] != "typed" || !strings.HasSuffix(lines[5], "3") {
				t.Errorf("%q: the command says %q, expected its pid twice, /usr, a b, typed, and that it ignores signals 1 and 2", flags, lines)
			}
			if plain := lessontest.RunCommand(t, "", commandOf(t, who, "sh", "-c", "ulimit -n")).Stdout; len(lines) > 6 && lines[6] != strings.TrimSpace(plain) {
				t.Errorf("%q: the command may open %s files, expected %s", flags, lines[6], plain)
			}
			if flags[0] == "-quiet" {
				result.IsSilent()
			}
		}
	})
}

// What a runtime tries in vain is told once, whatever it is about, and without a hint: the
// runtime goes on.
func TestExplainedAttempts(t *testing.T) {
	asRoot(t)
	missing := lesson.Type(t, "-no-color", "explain", "env", "PATH=/no:/such:/folder", "nosuchcommand").Exits(127)
	missing.Says(`execve("/no/nosuchcommand", `, "= -1 ENOENT", "and 2 more: /such, /folder, with the same answer")
	for name, row := range map[string]string{"bwrap": "An execve of an ordinary program keeps these capabilities.", "runc": "These are hidden: who looks"} {
		lessontest.NeedTool(t, name)
		dir := bundle(t, lessontest.NeedTool(t, "runc"))
		args := explained[name](t, dir, "gonsrun-test", "/bin/echo", "hi")
		said := lessontest.RunCommand(t, "", exec.Command(lessontest.Program(), append([]string{"-no-color", "explain"}, args...)...)).Exits(0).Stderr
		if told := strings.Count(said, row); told == 0 || told > 15 {
			t.Errorf("%s: %d times %q, expected few:\n%s", name, told, row, said)
		}
		for _, hint := range []string{"docker run", "mkdir DIR/proc"} {
			if strings.Contains(said, hint) {
				t.Errorf("%s: a hint, %q:\n%s", name, hint, said)
			}
		}
	}
}

// A signal that kills the command kills what was typed.
func TestExplainedCommandIsKilled(t *testing.T) {
	nothingLeft(t)
	lesson.Type(t, "-quiet", "explain", "sh", "-c", "kill -TERM $$").Exits(-int(syscall.SIGTERM))
	running := lesson.Start(t, "-quiet", "explain", "sh", "-c", "echo ready; exec sleep 1000")
	running.Line()
	running.Signal(unix.SIGHUP)
	running.Wait().Exits(-int(syscall.SIGHUP))
}

// What cannot be executed is named, with the shell's exit statuses.
func TestExplainNothing(t *testing.T) {
	nothingLeft(t)
	dir := t.TempDir()
	for name, text := range map[string]string{"nothing": "nonsense", "script": "#!/no/such/interpreter\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	lesson.Type(t, "explain").Prints("").Says(`"explain" needs a command`, "explain -h").Exits(125)
	lesson.Type(t, "explain", "-nosuchflag", "true").Prints("").Says("-nosuchflag").Exits(125)
	lesson.Type(t, "explain", "nosuchcommand", "-x").Prints("").Says("nosuchcommand", "PATH").Exits(127)
	lesson.Type(t, "explain", "/no/such/command").Prints("").Says("/no/such/command").Exits(127)
	lesson.Type(t, "explain", "/etc/passwd").Prints("").Says("/etc/passwd", "EACCES").Exits(126)
	lesson.Type(t, "explain", "/etc").Prints("").Says("/etc", "EISDIR").Exits(126)
	lesson.Type(t, "-quiet", "explain", dir+"/nothing").Prints("").Says("execve "+dir+"/nothing", "ENOEXEC", "does not know this format").Exits(126)
	lesson.Type(t, "-quiet", "explain", dir+"/script").Prints("").Says("execve "+dir+"/script", "ENOENT", "ELF interpreter").Exits(127)
}

// PATH is the caller's, and the name that the command gets is the one that was typed.
func TestExplainLooksInPath(t *testing.T) {
	nothingLeft(t)
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "mine"), []byte("#!/bin/sh\necho $0 \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	mine := exec.Command(lessontest.Program(), "-quiet", "explain", "mine", "-json", "two  words")
	mine.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	lessontest.RunCommand(t, "", mine).Prints(bin + "/mine -json two  words\n").IsSilent().Exits(0)
}
