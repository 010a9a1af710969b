//go:build linux

// Learn looks over your shoulder while you build a container of your own.
//
//	go run -exec sudo ./docs/learn
//
// It puts the first program into the folder mine, says what to build next, and
// looks at that folder: each time you save, it builds your program, runs it, and
// says what is right, and the one next thing that is wrong. Enter shows a hint.
//
// Your program runs where it can do no harm. There is no progress to lose: what
// your program does says where you are. You may stop, and go on another day.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/check"
	"gonsrun/internal/enclosure"
	"gonsrun/internal/gotool"
	"gonsrun/internal/proc"
)

// The flags have a set of their own: the test has some of the same names.
var (
	flags = flag.NewFlagSet("learn", flag.ExitOnError)
	once  = flags.Bool("once", false, "check once, and end with status 0 when all exercises are done")
	impl  = flags.String("impl", "mine", "look at the program in `DIR`")
	from  = flags.String("from", folders[1], "begin with a copy of `LESSON`, where there is no program yet")
)

func main() {
	check.Main()
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), manual, "\nFlags:\n\n")
		flags.PrintDefaults()
	}
	flags.Parse(os.Args[1:])
	status, err := learn()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(status)
}

const manual = `Learn looks over your shoulder while you build a container of your own, in the
folder mine. Each time you save, it says what is right, and the one next thing
that is wrong. Enter shows a hint, q or Ctrl-C quits.

	go run -exec sudo ./docs/learn
`

// learn is main, with an exit status.
func learn() (status int, err error) {
	if flags.NArg() > 0 {
		return 2, fmt.Errorf("there is no argument %q here. The manual: go run ./docs/learn -h", flags.Arg(0))
	}
	root, err := gotool.Repository()
	if err != nil {
		return 1, err
	}
	if os.Geteuid() != 0 {
		return 1, fmt.Errorf("learn: your program is run as root, in an enclosure. Type:\n  %s", proc.Typed("docs/learn", true, os.Args[1:]...))
	}
	folder := *impl
	if !filepath.IsAbs(folder) {
		folder = filepath.Join(root, folder)
	}
	if _, err := os.Stat(folder); err != nil && !canLayOut(folder) {
		return 1, fmt.Errorf("-impl %s: there is no such folder. A new one is made when its name begins with mine", *impl)
	}
	l := &learner{root: root, folder: folder, name: *impl}
	lesson := filepath.Base(*from)
	fmt.Sscanf(lesson, "step%d", &l.begins)
	if l.laidOut, err = layOut(root, folder, lesson); err != nil {
		return 1, err
	}
	enclosure.Sweep()
	dir, lock, err := enclosure.Scratch()
	if err != nil {
		return 1, err
	}
	defer runtime.KeepAlive(lock)
	defer os.RemoveAll(dir)
	os.Chmod(dir, 0o755)
	if err := os.Mkdir(dir+"/bin", 0o755); err != nil {
		return 1, err
	}
	l.program = dir + "/bin/" + filepath.Base(folder)

	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	defer stop()
	terminal := openTerminal()
	if *once || terminal == nil {
		return l.once(ctx)
	}
	return l.watch(ctx, terminal)
}

// typed is the line that starts the learner's program.
func (l *learner) typed() string {
	name := "./" + filepath.Clean(l.name)
	if filepath.IsAbs(l.name) {
		name = l.name
	}
	if os.Getenv("SUDO_UID") == "" {
		return "go run " + name
	}
	return "go run -exec sudo " + name
}

// ended is the exit status after a signal.
func ended() int { return 128 + int(syscall.SIGINT) }
