package proc

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// A process of a chain starts the next one, by the path that comes first in the
// variable; the last one prints what it would have its reader type.
const chain = "GONSRUN_TEST_CHAIN"

func TestMain(m *testing.M) {
	text, inChain := os.LookupEnv(chain)
	if !inChain {
		os.Exit(m.Run())
	}
	if text == "" {
		fmt.Println(Typed("step03-pid", false, "run", "echo hi"))
		fmt.Println(Typed("step03-pid", true))
		return
	}
	path, rest, _ := strings.Cut(text, " ")
	next := exec.Command(path)
	next.Env = append(os.Environ(), chain+"="+rest)
	next.Stdout, next.Stderr = os.Stdout, os.Stderr
	if err := next.Run(); err != nil {
		fmt.Println(err)
	}
}

// The line to type is the one that was typed, whoever started the program, and
// however often it has started itself again.
func TestTyped(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The kernel names a process after the path that it was started by.
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	binary, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go", "sudo", "bash"} {
		if err := os.Symlink(other, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	const again = "/proc/self/exe"
	sudo, execSudo, rootName := "", "", "NAME" // what asRoot adds
	if os.Geteuid() != 0 {
		sudo, execSudo, rootName = "sudo ", "-exec sudo ", "sudo PROGRAM"
	}
	for _, test := range []struct{ started, want, asRoot string }{
		{"bash PROGRAM", "PROGRAM", sudo + "PROGRAM"},
		{"bash NAME", "NAME", rootName},
		{"bash sudo NAME", "sudo NAME", "sudo NAME"},
		{"bash sudo PROGRAM", "sudo PROGRAM", "sudo PROGRAM"},
		{"bash sudo sudo PROGRAM", "sudo PROGRAM", "sudo PROGRAM"}, // with a terminal of sudo's own
		{"sudo bash PROGRAM", "PROGRAM", sudo + "PROGRAM"},
		{"bash go PROGRAM", "go run ./step03-pid", "go run " + execSudo + "./step03-pid"},
		{"bash go sudo PROGRAM", "go run -exec sudo ./step03-pid", "go run -exec sudo ./step03-pid"},
		{"bash sudo go PROGRAM", "go run -exec sudo ./step03-pid", "go run -exec sudo ./step03-pid"},
		{"go bash PROGRAM", "PROGRAM", sudo + "PROGRAM"},
		{"bash PROGRAM " + again, "PROGRAM", sudo + "PROGRAM"},
		{"bash go sudo PROGRAM " + again + " " + again, "go run -exec sudo ./step03-pid", "go run -exec sudo ./step03-pid"},
	} {
		names := strings.Fields(test.started)
		for i, name := range names {
			switch name {
			case "PROGRAM":
				names[i] = program
			case "NAME":
				names[i] = filepath.Base(program)
			case "go", "sudo", "bash":
				names[i] = filepath.Join(dir, name)
			}
		}
		first := exec.Command(names[0])
		first.Env = append(os.Environ(), chain+"="+strings.Join(names[1:], " "), "PATH="+filepath.Dir(program))
		output, err := first.CombinedOutput()
		want := strings.NewReplacer("PROGRAM", program, "NAME", filepath.Base(program)).Replace(test.want + " run 'echo hi'\n" + test.asRoot + "\n")
		if err != nil || string(output) != want {
			t.Errorf("started as %s, it says, %v\n%sexpected\n%s", test.started, err, output, want)
		}
	}
}

// TestWords gives what it wrote to a shell, which must get the arguments back. What
// cannot be seen is written so that it can be: sh need not know that.
func TestWords(t *testing.T) {
	args := []string{"run", "/bin/sh", "-c", `echo "$HOME" 'it'\''s'; exit 7`, "", "a b", "*", "x=1", "ü"}
	words := Words(args)
	if !strings.HasPrefix(words, "run /bin/sh -c '") {
		t.Errorf("plain words need no quotes: %s", words)
	}
	reads(t, "sh", words, args)
	args = []string{"echo a\n\techo 'b' \\n", "\x1b[31m", "\u202e\u009b0\xff0", "ü\r"}
	words = Words(args)
	if strings.ContainsFunc(words, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("this cannot be seen as it is: %q", words)
	}
	reads(t, "bash", words, args)
}

// reads gives words to a shell.
func reads(t *testing.T, name, words string, args []string) {
	t.Helper()
	shell, err := exec.LookPath(name)
	if err != nil {
		t.Logf("no %s here", name)
		return
	}
	output, err := exec.Command(shell, "-c", `printf '%s\0' `+words).Output()
	if err != nil || string(output) != strings.Join(args, "\x00")+"\x00" {
		t.Errorf("%s reads %s\n  as       %q\n  expected %q", name, words, output, args)
	}
}
