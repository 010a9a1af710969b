package trace

import "golang.org/x/sys/unix"

// realTmpfile is the bit of O_TMPFILE that is not O_DIRECTORY.
const realTmpfile = unix.O_TMPFILE &^ unix.O_DIRECTORY

// openFlags prints the flags of open(2), which begin with how it is accessed.
func openFlags(value uint64) string {
	text := [...]string{"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"}[value&unix.O_ACCMODE]
	if value &^= unix.O_ACCMODE; value != 0 {
		text += "|" + flags(value, openBits)
	}
	return text
}

var openBits = []flag{ // in the order in which strace has them
	{unix.O_CREAT, "O_CREAT"},
	{unix.O_EXCL, "O_EXCL"},
	{unix.O_NOCTTY, "O_NOCTTY"},
	{unix.O_TRUNC, "O_TRUNC"},
	{unix.O_APPEND, "O_APPEND"},
	{unix.O_NONBLOCK, "O_NONBLOCK"},
	{unix.O_SYNC, "O_SYNC"},
	{unix.O_SYNC &^ unix.O_DSYNC, "__O_SYNC"},
	{unix.O_DSYNC, "O_DSYNC"},
	{unix.O_DIRECT, "O_DIRECT"},
	{largeFile, "O_LARGEFILE"},
	{unix.O_NOFOLLOW, "O_NOFOLLOW"},
	{unix.O_NOATIME, "O_NOATIME"},
	{unix.O_CLOEXEC, "O_CLOEXEC"},
	{unix.O_PATH, "O_PATH"},
	{unix.O_TMPFILE, "O_TMPFILE"},
	{realTmpfile, "__O_TMPFILE"},
	{unix.O_DIRECTORY, "O_DIRECTORY"},
	{unix.O_ASYNC, "FASYNC"},
}

var resolveFlags = []flag{
	{unix.RESOLVE_NO_XDEV, "RESOLVE_NO_XDEV"},
	{unix.RESOLVE_NO_MAGICLINKS, "RESOLVE_NO_MAGICLINKS"},
	{unix.RESOLVE_NO_SYMLINKS, "RESOLVE_NO_SYMLINKS"},
	{unix.RESOLVE_BENEATH, "RESOLVE_BENEATH"},
	{unix.RESOLVE_IN_ROOT, "RESOLVE_IN_ROOT"},
	{0x20, "RESOLVE_CACHED"},
}
