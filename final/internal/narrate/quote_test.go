package narrate

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"":                `""`,
		"container":       `"container"`,
		`say "hi"`:        `"say \"hi\""`,
		`back\slash`:      `"back\\slash"`,
		"\t\n\v\f\r":      `"\t\n\v\f\r"`,
		"\x01":            `"\1"`,
		"\x01" + "7":      `"\0017"`, // \17 would be another character
		"\x01" + "8":      `"\18"`,   // 8 is no octal digit
		"ü":               `"\303\274"`,
		"\xff\x7f\x1b[0m": `"\377\177\33[0m"`,
	} {
		if quoted := Quote(text); quoted != want {
			t.Errorf("Quote(%q) is %s, expected %s", text, quoted, want)
		}
	}
}

func TestStrings(t *testing.T) {
	for want, list := range map[string][]string{
		`[]`:                         nil,
		`[""]`:                       {""},
		`["sh", "-c", "echo \"a\""]`: {"sh", "-c", `echo "a"`},
	} {
		if written := Strings(list); written != want {
			t.Errorf("Strings(%q) is %s, expected %s", list, written, want)
		}
	}
}

// TestQuoteIsStraces asks strace itself how it writes every byte, before a
// digit and before none.
func TestQuoteIsStraces(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("strace is not installed")
		}
		t.Skip("strace is not installed")
	}
	var all strings.Builder
	for c := 1; c < 256; c++ {
		all.WriteString(string([]byte{byte(c), '7', byte(c), '8', byte(c), 'x'}))
	}
	args := []string{"true", all.String(), ""}
	trace := filepath.Join(t.TempDir(), "trace")
	command := exec.Command(strace, append([]string{"-s", "8192", "-e", "execve", "-o", trace}, args...)...)
	if output, err := command.CombinedOutput(); err != nil {
		t.Skipf("strace does not work here: %v\n%s", err, output)
	}
	recorded, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	if line, _, _ := strings.Cut(string(recorded), "\n"); !strings.Contains(line, ", "+Strings(args)+", ") {
		t.Errorf("strace writes\n%s\nand Strings\n%s", line, Strings(args))
	}
}
