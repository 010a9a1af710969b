package main

import (
	"golang.org/x/sys/unix"

	"gonsrun/internal/lesson"
)

type container struct {
	root                 string
	command, environment []string
}

func (c container) isolate() {
	c.mounts()
	c.files()
	c.name("container")
}

func (container) name(name string) { lesson.Must(unix.Sethostname([]byte(name))) }

func (container) mounts() {
	lesson.Must(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
}

func (c container) files() {
	lesson.Must(unix.Chroot(c.root))
	lesson.Must(unix.Chdir("/"))
	lesson.Must(unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NOEXEC|unix.MS_NODEV, ""))
}

func (c container) becomeCommand() {
	path := lesson.Find(c.command[0], c.environment)
	lesson.Must(unix.Exec(path, c.command, c.environment))
}
