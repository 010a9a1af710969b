package trace

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// left stands for an argument that is left out: an address, or what only
// distracts.
const left = "…"

// Read reads the arguments of a call at whose entry its thread is stopped: later
// the memory may hold something else.
func (c *Call) Read() {
	if read := readers()[c.Name()]; read != nil {
		c.Arguments = read(c, c.Values)
	}
}

// readers read the arguments of a call, by its name. Like all tables here it costs
// nothing at the start of a program: most processes never read a call.
var readers = sync.OnceValue(func() map[string]reader {
	return merged(processReaders(), mountReaders(), newMountReaders(), fileReaders(), privilegeReaders(), idReaders(), sessionReaders(), socketReaders())
})

// reader returns the arguments of a call as they are printed.
type reader func(c *Call, v [6]uint64) []string

func merged(some ...map[string]reader) map[string]reader {
	all := map[string]reader{}
	for _, readers := range some {
		maps.Copy(all, readers)
	}
	return all
}

// ReadAnswer reads what a call has written for its caller, when its thread is
// stopped at the exit, once Read has read the rest.
func (c *Call) ReadAnswer() {
	if len(c.Arguments) == 0 {
		return
	}
	failed := c.Errno() != 0
	switch c.Name() {
	case "waitid":
		if !failed && c.Values[2] != 0 {
			c.readSiginfo()
		}
	case "wait4":
		if !failed && c.Values[1] != 0 && c.Result > 0 {
			c.readStatus()
		}
	case "read":
		if !failed {
			c.answerRead()
		}
	case "recvfrom":
		c.answerRecvfrom()
	case "recvmsg":
		c.answerRecvmsg()
	}
}

// string reads a string argument and quotes it. What is longer than the kernel
// takes is followed by ….
func (c *Call) string(address uint64) string {
	text, _ := c.readString(address)
	return text
}

// path is string for the path that the call is about.
func (c *Call) path(address uint64) (text string) {
	text, c.Path = c.readString(address)
	return text
}

// source and kind are string for the other path, and for a kind or key.
func (c *Call) source(address uint64) (text string) {
	text, c.Source = c.readString(address)
	return text
}

func (c *Call) kind(address uint64) (text string) {
	text, c.Kind = c.readString(address)
	return text
}

// readString returns a string argument as it is printed, and as it is: "" for one
// that the kernel will not take.
func (c *Call) readString(address uint64) (text, content string) {
	if address == 0 {
		return "NULL", ""
	}
	content, err := c.memory().String(address)
	switch err {
	case nil:
		return Quote(content), content
	case ErrTooLong:
		return Quote(content) + left, ""
	}
	return left, ""
}

// bytes reads what a call hands over, as Data, and quotes the first 4 KiB.
func (c *Call) bytes(address, length uint64) string {
	const most = 4096
	data, err := c.memory().Bytes(address, min(length, most))
	switch {
	case address == 0:
		return "NULL"
	case err != nil:
		return left
	}
	c.Data = data
	if length > most {
		return Quote(string(data)) + left
	}
	return Quote(string(data))
}

// vector reads a vector of strings, as List. A string that cannot be read is … and
// the last one printed: then there is no List.
func (c *Call) vector(address uint64) string {
	if address == 0 {
		return "NULL"
	}
	list, err := c.memory().Strings(address)
	switch {
	case err == nil:
		c.List = list
		return Strings(list)
	case len(list) == 0:
		return left
	}
	return strings.TrimSuffix(Strings(list), "]") + ", " + left + "]"
}

// directory prints the first argument of the …at calls.
func (c *Call) directory(value uint64) string {
	const here = 1<<32 + unix.AT_FDCWD // as an unsigned int
	if value == here || int64(value) == unix.AT_FDCWD {
		return "AT_FDCWD"
	}
	return c.descriptor(value)
}

// descriptor prints a file descriptor with what it is open on, as strace -yy does.
func (c *Call) descriptor(value uint64) string {
	fd := signed(value)
	file, ok := c.file(value)
	if !ok {
		return fd
	}
	open, deleted := strings.CutSuffix(file, " (deleted)")
	quoted := strings.NewReplacer("<", `\74`, ">", `\76`).Replace(Quote(open))
	text := fd + "<" + quoted[1:len(quoted)-1] + c.device(value) + ">"
	if deleted {
		text += "(deleted)"
	}
	return text
}

// device prints which device a file descriptor is open on, nothing for none.
func (c *Call) device(value uint64) string {
	var info unix.Stat_t
	if !proc.IsOurs() || unix.Stat(fmt.Sprintf("/proc/%d/fd/%d", c.thread.ID, int32(value)), &info) != nil {
		return ""
	}
	number := fmt.Sprintf(" %d:%d>", unix.Major(info.Rdev), unix.Minor(info.Rdev))
	switch info.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		return "<char" + number
	case unix.S_IFBLK:
		return "<block" + number
	}
	return ""
}

// file is what a file descriptor is open on.
func (c *Call) file(value uint64) (string, bool) {
	if !proc.IsOurs() {
		return c.copied(value)
	}
	dir, fd := "/proc/"+strconv.Itoa(c.thread.ID), signed(value)
	file, err := os.Readlink(dir + "/fd/" + fd)
	if err != nil {
		return "", false
	}
	if isPidfd(file) {
		return "pid:" + proc.Field(proc.Read(dir+"/fdinfo/"+fd), "Pid"), true
	}
	return file, true
}

func isPidfd(file string) bool {
	return file == "anon_inode:[pidfd]" || strings.HasPrefix(file, "pidfd:")
}

// copied is file where /proc has the numbers of another PID namespace: /proc/self is
// ours there, too, so we look at a copy of the descriptor. Of a process it would say a
// stranger's number.
func (c *Call) copied(value uint64) (string, bool) {
	fd, err := c.copyDescriptor(value)
	if err != nil {
		return "", false
	}
	defer unix.Close(fd)
	file, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil || isPidfd(file) {
		return "", false
	}
	return file, true
}

// more is … for a structure that is longer than what we know of it, if there is
// anything in the rest.
func (c *Call) more(address, known, length uint64) string {
	const most = 4096
	if length = min(length, most); length <= known {
		return ""
	}
	rest, err := c.memory().Bytes(address+known, length-known)
	if err == nil && len(bytes.Trim(rest, "\x00")) == 0 {
		return ""
	}
	return ", " + left
}
