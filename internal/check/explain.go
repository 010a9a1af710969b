package check

import (
	"fmt"
	"path"
	"strings"
)

// meanings are what the kernel's answers mean, for a call or for any ("").
var meanings = map[[2]string]string{
	{"clone", "EPERM"}:        "a new namespace needs root's rights",
	{"clone3", "EPERM"}:       "a new namespace needs root's rights",
	{"unshare", "EPERM"}:      "a new namespace needs root's rights",
	{"clone", "EINVAL"}:       "these flags do not go together",
	{"clone3", "EINVAL"}:      "these flags do not go together",
	{"unshare", "EINVAL"}:     "a program with several threads, as every Go program is, cannot ask for this",
	{"clone", "ENOMEM"}:       "number 1 of the PID namespace has ended, so no process can be made in there any more",
	{"fork", "ENOMEM"}:        "number 1 of the PID namespace has ended, so no process can be made in there any more",
	{"setns", "EINVAL"}:       "a program with several threads, as every Go program is, cannot do this",
	{"sethostname", "EPERM"}:  "it needs root's rights, in the UTS namespace",
	{"sethostname", "EINVAL"}: "the name is too long, or its length was not given right: at most 64 letters",
	{"chroot", "ENOENT"}:      "there is no such folder",
	{"chroot", "ENOTDIR"}:     "this is no folder",
	{"chroot", "EPERM"}:       "it needs root's rights",
	{"chdir", "ENOENT"}:       "there is no such folder, as seen from the root that the process has then",
	{"pivot_root", "EINVAL"}:  "the new root must be a mount of its own, and neither it nor its parent may be shared",
	{"pivot_root", "EBUSY"}:   "the new root must be another mount than the present one",
	{"pivot_root", "ENOENT"}:  "there is no such folder: the second argument must be a folder below the new root",
	{"mount", "EPERM"}:        "it needs root's rights, in the mount namespace",
	{"mount", "ENOENT"}:       "there is no such folder to mount on, as seen from the root that the process has then",
	{"mount", "ENODEV"}:       "the third argument is the type, and there is no file system of this type",
	{"mount", "EINVAL"}:       "the arguments do not go together; to change the propagation of a path, it must be a mount",
	{"mount", "EBUSY"}:        "this is mounted there already",
	{"mount", "ENOTDIR"}:      "this is no folder",
	{"execve", "ENOENT"}:      "there is no such file, as seen from the root that the process has then; or not the loader that the program needs",
	{"execve", "EACCES"}:      "this may not be run: it is a folder, or not executable",
	{"execve", "ENOEXEC"}:     "this is no program that the kernel can run",
	{"execve", "EFAULT"}:      "an argument leads to no memory: the lists end with a null pointer",
	{"mkdir", "EROFS"}:        "the file system is read-only",
	{"mkdirat", "EROFS"}:      "the file system is read-only",
	{"mkdir", "ENOENT"}:       "the folder above it does not exist",
	{"mkdirat", "ENOENT"}:     "the folder above it does not exist",
	{"openat", "ENOENT"}:      "there is no such file",
	{"write", "EINVAL"}:       "the kernel does not understand what was written",
	{"write", "EBUSY"}:        "in cgroup v2, a group that hands down controllers holds no processes",
	{"write", "ESRCH"}:        "there is no process with this number, in the writer's PID namespace",
	{"write", "ENOENT"}:       "the folder above has not this controller to hand down",
	{"", "EPERM"}:             "this is not permitted",
	{"", "ENOENT"}:            "there is no such file or folder",
	{"", "EINVAL"}:            "the kernel does not understand the arguments",
	{"", "EACCES"}:            "this is not permitted",
	{"", "EBADF"}:             "this descriptor is not open",
	{"", "ENOSYS"}:            "this kernel does not have this call",
	{"", "EAGAIN"}:            "there are too many processes: a limit is reached",
	{"", "EFAULT"}:            "an argument leads to no memory",
}

// covered are folders that are empty in the enclosure.
var covered = []string{"/tmp/", "/var/tmp/", "/run/"}

// explain says of a call that went wrong what was asked, what the kernel answered
// and what that means.
func (r *run) explain(c *call) string {
	meaning := meanings[[2]string{c.name, c.errno}]
	if meaning == "" {
		meaning = meanings[[2]string{"", c.errno}]
	}
	if c.name == "execve" && c.errno == "ENOENT" && strings.HasPrefix(c.path, "/proc/") {
		meaning = "there is no /proc in the root that the process has then"
		for _, change := range r.rootChanges() {
			if worked(change) && change.pid == r.first {
				return fmt.Sprintf("%s was called on the host's side of your program, before it started itself again: in that root there is no %s. It comes after that, in the process that becomes the command.",
					change.name, c.path)
			}
		}
	}
	if c.name == "openat" && (c.errno == "ENOENT" || c.errno == "EACCES") {
		for _, removal := range r.find("rmdir", "unlinkat") {
			if worked(removal) && strings.HasSuffix(path.Dir(c.path), removal.path) && r.before(removal, c) {
				return fmt.Sprintf("The cgroup %s was removed (rmdir) before its file %s was opened: it is removed when the command has ended.", path.Dir(c.path), path.Base(c.path))
			}
		}
		meaning = "there is no such file in this tree. cgroup v1 and v2 name some files differently, and in v1 each controller has a tree of its own"
	}
	if asked(r.find("clone", "clone3", "unshare"), newUser) != nil && c.errno == "EPERM" && !r.mapsUsers() {
		meaning = "CLONE_NEWUSER was asked for, and in a new user namespace nobody is root until a map of users is written (UidMappings)"
	}
	if kind := otherKind(c); kind != "" {
		meaning = fmt.Sprintf("the descriptor is of another kind of namespace (%s) than the flag asks for", kind)
	}
	text := fmt.Sprintf("%s was answered with %s", shorten(c.text), c.errno)
	if meaning != "" {
		text += ": " + meaning
	}
	text += "."
	for _, dir := range covered {
		if (c.errno == "ENOENT" || c.errno == "ENOTDIR") && strings.HasPrefix(c.path, dir) && (c.name == "chroot" || c.name == "mount") {
			text += " (This check runs where " + strings.TrimSuffix(dir, "/") + " is empty: keep a root file system of yours elsewhere.)"
		}
	}
	return text
}

// mapsUsers reports whether a map for a user namespace was written.
func (r *run) mapsUsers() bool {
	return len(where(r.find("write"), func(c *call) bool { return path.Base(c.path) == "uid_map" })) > 0
}

// otherKind is the kind of namespace that a setns was given, when its flag asks
// for another one; else "".
func otherKind(c *call) string {
	_, rest, _ := strings.Cut(c.text, "<")
	kind, _, found := strings.Cut(rest, ":[")
	flag := map[string]uint64{"mnt": newNS, "uts": newUTS, "pid": newPID, "user": newUser}[kind]
	if c.name != "setns" || !found || c.flags == 0 || c.flags&flag != 0 {
		return ""
	}
	return kind
}

// shorten cuts a call that would fill the screen.
func shorten(text string) string {
	const most = 110
	text = safe(text)
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// endedHow says how a process ended.
func endedHow(status int) string {
	if status < 0 {
		return fmt.Sprintf("was killed by signal %d", -status)
	}
	return fmt.Sprintf("ended with exit status %d", status)
}
