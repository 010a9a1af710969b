package rootfs

import (
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What is looked for, in this order. All busyboxes count, since the first may
// be one that cannot be used; of the others, the first of each name.
var (
	busyboxes = []string{"busybox", "busybox.static"}

	shells = []string{"bash"}
)

// programs stand in for busybox where there is none.
func programs() []string {
	return strings.Fields(`
		sh ls cat ps hostname mount umount id sleep ip
		mkdir rmdir rm cp mv ln touch chmod chown mknod mkfifo mktemp truncate sync
		echo printf env test [ true false expr seq yes nproc date uname tty stty clear reset
		kill pgrep pkill pidof nice renice nohup timeout setsid top free uptime watch
		head tail wc grep egrep fgrep sed awk cut sort uniq tr tee xargs find
		basename dirname readlink realpath pwd stat df du dd od hexdump less more diff cmp
		md5sum sha256sum base64 tar gzip
		whoami groups su chroot nsenter unshare pivot_root switch_root setpriv capsh
		findmnt lsns mountpoint losetup dmesg sysctl taskset prlimit
		ping ss nc wget`)
}

// systemDirs are looked in before the user's PATH. So the result is the same
// for everybody, and a wrapper script of the user's does not hide a program.
var systemDirs = []string{"/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/local/bin"}

// searchPath returns the folders that programs are looked for in, each once:
// on most systems /bin is a symlink to /usr/bin.
func searchPath(path string) []string {
	var dirs []string
	seen := map[[2]uint64]bool{}
	for _, dir := range append(systemDirs[:len(systemDirs):len(systemDirs)], filepath.SplitList(path)...) {
		var st unix.Stat_t
		if !filepath.IsAbs(dir) || unix.Stat(dir, &st) != nil || seen[identity(&st)] {
			continue
		}
		seen[identity(&st)] = true
		dirs = append(dirs, dir)
	}
	return dirs
}

// identity is what two names of one file have in common.
func identity(st *unix.Stat_t) [2]uint64 {
	return [2]uint64{uint64(st.Dev), st.Ino}
}

// A program is a file of this machine, and the name it goes by. Its size and
// the time of its last change (in ns since 1970) tell whether it is still the
// same.
type program struct {
	name, path  string
	size, mtime int64
}

// find looks for the programs of these names in dirs. It is also what finds
// out at each start whether a better program has appeared, so it must be quick.
func find(names, dirs []string, all bool) []program {
	var found []program
	for _, name := range names {
		for _, dir := range dirs {
			path := dir + "/" + name
			var st unix.Stat_t
			if unix.Stat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o111 == 0 {
				continue
			}
			found = append(found, program{name, path, st.Size, st.Mtim.Nano()})
			if !all {
				break
			}
		}
	}
	return found
}

// findAll answers the questions that a root file system of this kind is made
// from.
func findAll(kind string, dirs []string) []program {
	found := find(busyboxes, dirs, true)
	if kind == kindPrograms {
		found = append(found, find(programs(), dirs, false)...)
	}
	return append(found, find(shells, dirs, false)...)
}

// line is the program as the manifest has it.
func (p program) line() string {
	return strings.Join([]string{p.name, strconv.FormatInt(p.size, 10), strconv.FormatInt(p.mtime, 10), p.path}, "\t")
}
