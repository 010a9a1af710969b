package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// cacheFolder returns the cache folder of the user uid: $XDG_CACHE_HOME, or
// .cache in the home folder (XDG Base Directory Specification). Under sudo,
// these variables may still be those of the user who called, whose folders are
// no place for files of root's: a folder counts only if it is the user's own.
// For the same reason the home of root comes from the file passwd first.
func cacheFolder(uid int, getenv func(string) string, passwd string) (string, error) {
	candidates := []string{getenv("XDG_CACHE_HOME")}
	homes := []string{getenv("HOME"), homeOf(uid, passwd)}
	if uid == 0 {
		homes[0], homes[1] = homes[1], homes[0]
	}
	for _, home := range homes {
		if home != "" {
			candidates = append(candidates, filepath.Join(home, ".cache"))
		}
	}
	if uid == 0 {
		candidates = append(candidates, "/var/cache") // in an initramfs nobody has a home
	}
	for _, dir := range candidates {
		if filepath.IsAbs(dir) && belongs(dir, uid) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no cache folder for the root file system: user %d owns neither XDG_CACHE_HOME (%q) nor HOME (%q)\n"+
		"Name a folder of yours, as in  XDG_CACHE_HOME=DIR go run …  or give a root file system with  -rootfs DIR",
		uid, getenv("XDG_CACHE_HOME"), getenv("HOME"))
}

// belongs reports whether dir, or the nearest parent that exists, is a folder
// of the user uid.
func belongs(dir string, uid int) bool {
	for {
		info, err := os.Stat(dir)
		if err == nil {
			return info.IsDir() && ownedBy(info, uid)
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == "/" {
			return false
		}
		dir = filepath.Dir(dir)
	}
}

func ownedBy(info fs.FileInfo, uid int) bool {
	return int(info.Sys().(*syscall.Stat_t).Uid) == uid
}

// homeOf returns the home folder of the user uid by the file passwd (see
// passwd(5)), "" when it is not there.
func homeOf(uid int, passwd string) string {
	for line := range strings.Lines(proc.Read(passwd)) {
		field := strings.Split(strings.TrimSpace(line), ":")
		if len(field) >= 6 && field[2] == strconv.Itoa(uid) {
			return field[5]
		}
	}
	return ""
}

// ownFolder makes folder where it is missing. One that somebody else owns is
// refused: its owner could put any program there for us to run.
func ownFolder(folder string) error {
	info, err := os.Stat(folder)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return explain(err)
		}
		info, err = os.Stat(folder)
	}
	if err != nil {
		return explain(err)
	}
	if uid := unix.Geteuid(); !info.IsDir() || !ownedBy(info, uid) {
		return fmt.Errorf("cannot keep the root file system in %s: it is not a folder of user %d\n"+
			"Look at it with  ls -ld %s  and move it away, or give a root file system with  -rootfs DIR", folder, uid, folder)
	}
	return nil
}
