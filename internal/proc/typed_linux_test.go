package proc

import (
	"os/exec"
	"strings"
	"testing"
)

// TestWords gives what it wrote to a shell, which must get the arguments back.
func TestWords(t *testing.T) {
	args := []string{"run", "/bin/sh", "-c", `echo "$HOME" 'it'\''s'; exit 7`, "", "a b", "*", "x=1", "ü\n"}
	words := Words(args)
	if !strings.HasPrefix(words, "run /bin/sh -c '") {
		t.Errorf("plain words need no quotes: %s", words)
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh here")
	}
	output, err := exec.Command(shell, "-c", `printf '%s\0' `+words).Output()
	if err != nil || string(output) != strings.Join(args, "\x00")+"\x00" {
		t.Errorf("a shell reads %s\n  as       %q\n  expected %q", words, output, args)
	}
}
