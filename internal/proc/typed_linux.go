package proc

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Typed returns the line that starts this program again, in the way in which it
// was started, with other arguments: by go run, where that started it, else by
// its path as it was typed. program is the name of its folder. asRoot puts sudo
// into the line; sudo that was typed stays.
func Typed(program string, asRoot bool, args ...string) string {
	path, goRun, sudo := started()
	asRoot = asRoot && os.Geteuid() != 0
	if found, err := exec.LookPath(path); asRoot && !sudo && err == nil {
		path = found // sudo has a PATH of its own
	}
	asRoot = asRoot || sudo
	words := []string{path}
	switch {
	case goRun && asRoot:
		words = []string{"go", "run", "-exec", "sudo", "./" + program}
	case goRun:
		words = []string{"go", "run", "./" + program}
	case asRoot:
		words = []string{"sudo", path}
	}
	return Words(append(words, args...))
}

// started says how this program was started: by which path, and whether the go
// tool and sudo stood above it. It looks at the processes above this one, in the
// numbers that /proc has, as far as they are go, sudo, or the same program, which
// may have started itself again.
func started() (path string, goRun, sudo bool) {
	path = os.Args[0]
	for pid := "self"; ; pid = StatusField(pid, "PPid") {
		switch comm := Read("/proc/" + pid + "/comm"); {
		case SameFile("/proc/self/exe", "/proc/"+pid+"/exe"):
			path, _, _ = strings.Cut(Read("/proc/"+pid+"/cmdline"), "\x00")
		case comm == "go":
			goRun = true
		case comm == "sudo":
			sudo = true
		default:
			return path, goRun, sudo
		}
	}
}

// Words writes args as they can be typed into a shell, in one line. Control characters,
// and what else cannot be seen, take the quotes of bash, zsh and ksh: $'a\nb'.
func Words(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = arg
		if arg == "" || strings.Trim(arg, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,@%+") != "" {
			words[i] = quote(arg)
		}
	}
	return strings.Join(words, " ")
}

// quote writes an argument for a shell.
func quote(arg string) string {
	var b strings.Builder
	escaped := false
	for rest := arg; rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		char := rest[:size]
		rest = rest[size:]
		switch {
		case r == '\'' || r == '\\':
			b.WriteString("\\" + char)
		case r == '\n':
			b.WriteString(`\n`)
			escaped = true
		case r == '\t':
			b.WriteString(`\t`)
			escaped = true
		case unicode.IsPrint(r) && r != utf8.RuneError:
			b.WriteString(char)
		default:
			for _, c := range []byte(char) {
				fmt.Fprintf(&b, `\%03o`, c)
			}
			escaped = true
		}
	}
	if escaped {
		return "$'" + b.String() + "'"
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}
