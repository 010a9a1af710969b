package proc

import (
	"os"
	"strconv"
	"strings"
)

// Typed returns the line that starts this program again, in the way in which it
// was started, with other arguments: by go run, where that started it, else by
// its path as it was typed. program is the name of its folder. asRoot puts sudo
// into the line; sudo that was typed stays.
func Typed(program string, asRoot bool, args ...string) string {
	goRun, sudo := startedBy()
	asRoot = asRoot && os.Geteuid() != 0 || sudo
	words := []string{os.Args[0]}
	switch {
	case goRun && asRoot:
		words = []string{"go", "run", "-exec", "sudo", "./" + program}
	case goRun:
		words = []string{"go", "run", "./" + program}
	case asRoot:
		words = []string{"sudo", os.Args[0]}
	}
	return Words(append(words, args...))
}

// startedBy reports whether the go tool started this program, and whether sudo
// stood between. It looks at the processes above this one as far as they are go,
// sudo, or the same program again.
func startedBy() (goRun, sudo bool) {
	if !IsOurs() {
		return true, os.Getenv("SUDO_UID") != ""
	}
	own := Read("/proc/self/comm")
	for pid := os.Getppid(); pid > 0; pid = Parent(pid) {
		switch Read("/proc/" + strconv.Itoa(pid) + "/comm") {
		case "go":
			return true, sudo
		case "sudo":
			sudo = true
		case own:
		default:
			return false, sudo
		}
	}
	return false, sudo
}

// Words writes args as they can be typed into a shell.
func Words(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = arg
		if arg == "" || strings.Trim(arg, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,@%+") != "" {
			words[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
