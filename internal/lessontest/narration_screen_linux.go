package lessontest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// screenOf runs the lesson on a terminal, and returns what came out.
func (l Lesson) screenOf(t *testing.T, columns int, environment []string, args ...string) string {
	t.Helper()
	command := l.command(args...)
	command.Env = append(append(command.Env, "TERM=xterm-256color"), environment...)
	term := NewTerminal(t, columns, command)
	if status := term.Wait(); status != 0 {
		t.Errorf("%s on a terminal: exit status %d\n%s", shellLine(command), status, term.Screen())
	}
	return term.Raw()
}

// expectNarrow expects no line of the narrator's to be wider than that many
// columns, but for lines to type, which are never broken and have no margin then.
func expectNarrow(t *testing.T, what string, columns int, raw string) {
	t.Helper()
	for _, line := range render(raw, 1<<20) {
		byNarrator := strings.Contains(line, "│") || strings.Contains(line, "q: quit")
		if n, _ := widest(line); n > columns && byNarrator {
			t.Errorf("%s: a line of %d columns where there are %d: %s", what, n, columns, line)
		}
	}
}

func (l Lesson) followsWidth(t *testing.T) {
	for _, columns := range Sized([]int{40, 60, 80, 100, 200}, []int{40, 200}) {
		for _, short := range []string{"-short", "-no-color"} {
			raw := l.screenOf(t, columns, nil, short, "run", "true")
			expectNarrow(t, fmt.Sprintf("%s on %d columns", short, columns), min(columns, 100), raw)
			if n, _ := widest(raw); n < min(columns, 100)*3/4 {
				t.Errorf("on a terminal of %d columns the narration takes %d", columns, n)
			}
		}
		// With -pause, too; and what fails, with a line to type.
		term := NewTerminal(t, columns, l.command("-pause", "run", "true"))
		term.Expect("q: quit")
		term.Type("g")
		term.Wait()
		expectNarrow(t, fmt.Sprintf("-pause on %d columns", columns), min(columns, 100), term.Raw())

		user := l.AsOrdinaryUser(t)
		command := user.command("run", "/bin/sh", "-c", "echo a command that is rather long, for a line that is long, too")
		term = NewTerminal(t, columns, command)
		if status := term.Wait(); status != 125 {
			t.Errorf("as an ordinary user: exit status %d, expected 125", status)
		}
		expectNarrow(t, fmt.Sprintf("an error on %d columns", columns), min(columns, 100), term.Raw())
		if line := user.typed("run /bin/sh -c 'echo a command that is rather long, for a line that is long, too'"); !strings.Contains(colors.ReplaceAllString(term.Raw(), ""), strings.TrimSpace(line)) {
			t.Errorf("on %d columns the line to type is not there, unbroken: %s\n%s", columns, line, term.Screen())
		}
	}
	inPipe := l.Type(t, "run", "true")
	expectNarrow(t, "in a pipe", 80, inPipe.Stderr)
}

func (l Lesson) followsColor(t *testing.T) {
	const escape = "\x1b["
	if raw := l.screenOf(t, 80, nil, "run", "true"); !strings.Contains(raw, escape) {
		t.Errorf("no color on a terminal:\n%s", raw)
	}
	for name, raw := range map[string]string{
		"NO_COLOR=1": l.screenOf(t, 80, []string{"NO_COLOR=1"}, "run", "true"),
		"NO_COLOR=":  l.screenOf(t, 80, []string{"NO_COLOR="}, "run", "true"),
		"TERM=dumb":  l.screenOf(t, 80, []string{"TERM=dumb"}, "run", "true"),
		"-no-color":  l.screenOf(t, 80, nil, "-no-color", "run", "true"),
		"a pipe":     l.Type(t, "run", "true").Stderr,
	} {
		if strings.Contains(raw, escape) && name != "NO_COLOR=" {
			t.Errorf("color in spite of %s:\n%q", name, raw)
		}
	}
}

// followsResize resizes the terminal while a key is waited for, and while the
// command runs.
func (l Lesson) followsResize(t *testing.T) {
	steps := l.steps(t, "sh", "-c", "read x")
	command := l.command("-pause", "run", "sh", "-c", "read x")
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stdin = reader
	term := NewTerminal(t, 100, command)
	reader.Close()
	widths := []int{100}
	from := []int{0}
	for i := range steps {
		term.Expect(pausePrompt)
		widths, from = append(widths, 40+10*(i%5)), append(from, len(term.Raw()))
		term.Resize(widths[len(widths)-1])
		term.Type("\n")
	}
	find(t, command.Process.Pid, "sh", "-c", "read x")
	for i := range 20 {
		term.Resize(60 + i)
		time.Sleep(5 * time.Millisecond) // several signals, and not one
	}
	term.Resize(50)
	widths, from = append(widths, 79), append(from, len(term.Raw()))
	writer.Close()
	if status := term.Wait(); status != 1 {
		t.Errorf("exit status %d, expected 1:\n%s", status, term.Screen())
	}
	raw := term.Raw()
	for i, begin := range from {
		end := len(raw)
		if i+1 < len(from) {
			end = from[i+1]
		}
		_, rest, _ := strings.Cut(raw[begin:end], "\n") // what was begun before the resize
		expectNarrow(t, fmt.Sprintf("after resize %d", i), widths[i], rest)
	}
	if n := len(blocks(raw)); n != steps+1 {
		t.Errorf("%d blocks are told, expected %d: each call once, and waitid's answer\n%s", n, steps+1, term.Screen())
	}
}

func (l Lesson) shortIsShort(t *testing.T) {
	raw := l.screenOf(t, 80, nil, "-short", "run", "true")
	screen := render(raw, 80)
	if screen[len(screen)-1] == "" {
		screen = screen[:len(screen)-1]
	}
	if len(screen) > 24-1 { // and a row for the shell's prompt
		t.Errorf("-short takes %d rows, expected 23 at most:\n%s", len(screen), strings.Join(screen, "\n"))
	}
	if !strings.Contains(strings.Join(screen, "\n"), "seccomp") {
		t.Errorf("with -short there is no board:\n%s", strings.Join(screen, "\n"))
	}
	rows := map[int]int{} // of blocks that have so many rows
	n := 0
	for i, line := range append(screen, " host 1 │") {
		if blockBegins.MatchString(line) && i > 0 {
			rows[n]++
			n = 0
		}
		n++
	}
	board := 9 + strings.Count(raw, "see below")
	for of := range rows {
		if of != 2 && of != board && of != 1 {
			t.Errorf("-short: blocks of 2 rows (9 with the board, 1 for the answer of waitid), and none of %d:\n%s", of, strings.Join(screen, "\n"))
		}
	}
	if rows[1] != 1 || rows[board] != 1 {
		t.Errorf("-short: one board, and one answer of its own:\n%s", strings.Join(screen, "\n"))
	}
}

func (l Lesson) narratesTo(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "narration")
	os.WriteFile(file, []byte("what was there before, and is longer than nothing"), 0o644)
	usual := l.Type(t, "run", "/bin/sh", "-c", "echo hi; exit 7")
	l.Type(t, "-to", file, "run", "/bin/sh", "-c", "echo hi; exit 7").IsSilent().Prints("hi\n").Exits(7)
	written, _ := os.ReadFile(file)
	if changeless(unwrap(string(written))) != changeless(unwrap(usual.Stderr)) {
		t.Errorf("-to %s: the narration is not what it is on stderr:\n%s", file, written)
	}
	result := l.Type(t, "-json", "-to", file, "run", "/bin/sh", "-c", "echo hi; exit 7").IsSilent().Prints("hi\n").Exits(7)
	written, _ = os.ReadFile(file)
	result.Stderr = string(written)
	if n := len(result.Narrated()); n < 5 {
		t.Errorf("-json -to FILE: %d records", n)
	}

	// Under sudo a new file belongs to who called that, and an old one stays whose it is.
	if os.Geteuid() == 0 {
		file := filepath.Join(dir, "sudo")
		command := func(uid string) *exec.Cmd {
			command := l.command("-to", file, "run", "true")
			command.Env = append(command.Env, "SUDO_UID="+uid, "SUDO_GID=4243")
			return command
		}
		for _, uid := range []string{"4242", "4244"} {
			RunCommand(t, "", command(uid)).Exits(0)
			var st unix.Stat_t
			if unix.Stat(file, &st); st.Uid != 4242 || st.Gid != 4243 {
				t.Errorf("-to FILE under sudo: the file belongs to %d:%d, and not to the caller, 4242:4243", st.Uid, st.Gid)
			}
		}
	}

	// Another terminal: its width and color.
	master, slave := openTerminal(t, 50)
	defer master.Close()
	name, err := os.Readlink("/proc/self/fd/" + itoa(int(slave.Fd())))
	if err != nil {
		t.Fatal(err)
	}
	shown := make(chan string)
	go func() {
		var all bytes.Buffer
		buffer := make([]byte, 4096)
		for {
			n, err := master.Read(buffer)
			all.Write(buffer[:n])
			if err != nil {
				break
			}
		}
		shown <- all.String()
	}()
	l.Type(t, "-to", name, "run", "/bin/sh", "-c", "echo hi; exit 7").IsSilent().Prints("hi\n").Exits(7)
	slave.Close()
	there := <-shown
	if !strings.Contains(there, "\x1b[") || len(blocks(there)) < 5 {
		t.Errorf("-to another terminal: the narration, in color, and not\n%s", there)
	}
	expectNarrow(t, "another terminal", 50, there)

	// What cannot be written.
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{fifo, dir, filepath.Join(dir, "missing", "file"), "/proc/gonsrun", ""} {
		begin := time.Now()
		result := l.Type(t, "-to", bad, "run", "/bin/sh", "-c", "echo started").Prints("").Exits(125)
		if took := time.Since(begin); took > 5*time.Second {
			result.fail("an answer at once, and not after %v", took)
		}
		if !strings.Contains(result.Stderr, "-to") || strings.Count(result.Stderr, "-to ") > 3 {
			result.fail("a sentence about -to")
		}
		if len(blocks(result.Stderr)) > 0 {
			result.fail("nothing told")
		}
	}
}

// nasty are texts that a terminal would obey, or that would show other text than
// there is.
var nasty = []string{"\x1b[31m\x1b]0;title\x07", "\u009b31m", "\u202e\u2066bidi\u200f", "\x7f\x08", "\rover", "new\nline", "\xff\xfe\xc3", "\u2028\u00ad\ufeff\U000e0041"}

// quotes has nasty texts in all places where they can be.
func (l Lesson) quotes(t *testing.T) {
	all := strings.Join(nasty, "")
	dir := t.TempDir()
	folder := filepath.Join(dir, "x"+strings.ReplaceAll(all, "/", ""))
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	lines := [][]string{
		{"run", "echo", all},
		{"run", "echo" + all},
		{"run", "/bin/echo" + all},
		{"-to", folder, "run", "true"},
		{"-to", "/missing" + all, "run", "true"},
		{all},
		{"run", "-" + all},
		{"-" + all, "run", "true"},
	}
	if l.Number > 3 {
		lines = append(lines, []string{"-rootfs", folder, "run", "true"}, []string{"-rootfs", "/missing" + all, "run", "true"})
	}
	for _, args := range lines {
		for _, flags := range [][]string{nil, {"-short"}, {"-json"}, {"-quiet"}} {
			args := append(flags, args...)
			result := l.Type(t, args...)
			if raw := rawIn(result.Stderr); raw != "" {
				result.fail("nothing raw on stderr, and not %s", raw)
			}
			if flags != nil {
				continue
			}
			command := l.command(args...)
			command.Stdout, _ = os.Open(os.DevNull)
			term := NewTerminal(t, 80, command)
			term.Wait()
			text := strings.NewReplacer("\r\n", "\n", "\x1b[2K", "").Replace(regexp.MustCompile(` {80}\r`).ReplaceAllString(term.Raw(), ""))
			if raw := rawIn(colors.ReplaceAllString(text, "")); raw != "" {
				t.Errorf("%s on a terminal: nothing raw but colors, and not %s in\n%q", shellLine(command), raw, text)
			}
		}
	}
}

// rawIn is the first thing in a text that a terminal obeys or does not show, but
// for the end of a line.
func rawIn(text string) string {
	if i := strings.IndexFunc(text, func(r rune) bool {
		return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r))
	}); i >= 0 {
		return fmt.Sprintf("%q, at %q", []rune(text[i:])[0], text[max(0, i-20):min(len(text), i+20)])
	}
	if !utf8.ValidString(text) {
		return "bytes that are no UTF-8"
	}
	return ""
}

func (l Lesson) longArguments(t *testing.T) {
	args := []string{"run", "/bin/sh", "-c", "echo $#; exit 7", "sh"}
	for _, letter := range []string{"x", "ü", "\x1b"} {
		args = append(args, strings.Repeat(letter, 100_000/len(letter)))
	}
	const most = 5 * time.Second
	for _, flags := range [][]string{nil, {"-short"}, {"-json"}} {
		begin := time.Now()
		result := l.Type(t, append(flags, args...)...).Prints("3\n").Exits(7)
		if took := time.Since(begin); took > Sized(most, 10*most) {
			t.Errorf("%v with 300 KB of arguments takes %v, expected %v at most", flags, took, most)
		}
		if len(flags) == 1 && flags[0] == "-json" {
			if records := result.Narrated(); len(records) < 5 {
				t.Errorf("%d records", len(records))
			}
		} else if len(result.Stderr) > 100_000 {
			t.Errorf("%v with 300 KB of arguments writes %d bytes", flags, len(result.Stderr))
		}
	}
}
