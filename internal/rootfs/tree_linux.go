package rootfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A tree is a root file system while it is being filled. Paths in it are
// relative. Whatever it makes it notes in the manifest.
type tree struct {
	dir        string
	manifest   *manifest
	known      map[string]bool
	lastCopied program // the original of the file copied last
}

// newTree starts a tree in the empty folder dir.
func newTree(dir string) (*tree, error) {
	if err := os.Chmod(dir, 0o755); err != nil { // os.MkdirTemp makes it private
		return nil, err
	}
	return &tree{dir: dir, manifest: &manifest{}, known: map[string]bool{}}, nil
}

func (t *tree) path(name string) string { return filepath.Join(t.dir, name) }

func (t *tree) has(name string) bool { return t.known[name] }

func (t *tree) note(e entry) {
	t.known[e.name] = true
	t.manifest.entries = append(t.manifest.entries, e)
}

// folder makes a folder. Its mode is set apart, since mkdir(2) heeds the umask.
func (t *tree) folder(name string, mode uint32) error {
	if err := os.Mkdir(t.path(name), 0o700); err != nil {
		return err
	}
	t.note(entry{kind: entryFolder, name: name})
	if err := unix.Chmod(t.path(name), mode); err != nil {
		return fmt.Errorf("chmod %s: %w", t.path(name), err)
	}
	return nil
}

// parents makes the folders that name lies in, where they are missing.
func (t *tree) parents(name string) error {
	parent := filepath.Dir(name)
	if parent == "." || t.known[parent] {
		return nil
	}
	if err := t.parents(parent); err != nil {
		return err
	}
	return t.folder(parent, 0o755)
}

func (t *tree) link(name, target string) error {
	if err := os.Symlink(target, t.path(name)); err != nil {
		return err
	}
	t.note(entry{kind: entryLink, name: name, target: target})
	return nil
}

// text makes a file of settings, which the reader may change.
func (t *tree) text(name, content string) error {
	if err := os.WriteFile(t.path(name), []byte(content), 0o644); err != nil {
		return err
	}
	t.note(entry{kind: entryText, name: name})
	return os.Chmod(t.path(name), 0o644)
}

// copy copies the file original. It is never a hard link: a write in the
// container must not reach the host.
func (t *tree) copy(name, original string, mode fs.FileMode) error {
	if err := t.parents(name); err != nil {
		return err
	}
	from, err := os.Open(original)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(t.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer to.Close()
	if _, err := io.Copy(to, from); err != nil { // copy_file_range(2) where it can
		return err
	}
	if err := to.Chmod(mode); err != nil {
		return err
	}
	return t.noteCopy(name, original, from, to)
}

// noteCopy gives the copy the time of its original, so that every change from
// now on shows, however coarse the clock is, and notes how both look.
func (t *tree) noteCopy(name, original string, from, to *os.File) error {
	source, err := from.Stat()
	if err != nil {
		return err
	}
	if err := os.Chtimes(t.path(name), time.Time{}, source.ModTime()); err != nil {
		return err
	}
	made, err := to.Stat()
	if err != nil {
		return err
	}
	t.lastCopied = program{filepath.Base(name), original, source.Size(), source.ModTime().UnixNano()}
	t.note(entry{kind: entryFile, name: name, mode: uint32(made.Mode().Perm()), size: made.Size(), mtime: made.ModTime().UnixNano()})
	return nil
}

// finish notes the times of the folders, now that they are full. They are set
// back a little, so that every change from now on shows.
func (t *tree) finish() error {
	past := time.Now().Add(-time.Second)
	for i := range t.manifest.entries {
		e := &t.manifest.entries[i]
		if e.kind != entryFolder {
			continue
		}
		if err := os.Chtimes(t.path(e.name), time.Time{}, past); err != nil {
			return err
		}
		info, err := os.Stat(t.path(e.name))
		if err != nil {
			return err
		}
		e.mtime = info.ModTime().UnixNano()
	}
	return nil
}

// furnish makes what a system expects to find whatever programs there are.
func (t *tree) furnish() error {
	for _, f := range []struct {
		name string
		mode uint32
	}{
		{"bin", 0o755}, {"usr", 0o755}, {"etc", 0o755}, {"dev", 0o755}, {"proc", 0o755}, {"sys", 0o755},
		{"run", 0o755}, {"var", 0o755}, {"mnt", 0o755}, {"home", 0o755}, {"root", 0o700}, {"tmp", unix.S_ISVTX | 0o777},
	} {
		if err := t.folder(f.name, f.mode); err != nil {
			return err
		}
	}
	for _, link := range [][2]string{{"sbin", "bin"}, {"usr/bin", "../bin"}, {"usr/sbin", "../bin"}} {
		if err := t.link(link[0], link[1]); err != nil {
			return err
		}
	}
	for _, text := range [][2]string{
		{"etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"},
		{"etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"},
		{"etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n"},
		{"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
	} {
		if err := t.text(text[0], text[1]); err != nil {
			return err
		}
	}
	return t.devices()
}

// devices makes the usual device nodes (numbers: the kernel's
// Documentation/admin-guide/devices.txt). An ordinary user may not, and does
// without.
func (t *tree) devices() error {
	for _, d := range []struct {
		name         string
		major, minor uint32
	}{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}} {
		name, number := "dev/"+d.name, unix.Mkdev(d.major, d.minor)
		err := unix.Mknod(t.path(name), unix.S_IFCHR|0o666, int(number))
		if errors.Is(err, unix.EPERM) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("mknod %s: %w", t.path(name), err)
		}
		if err := os.Chmod(t.path(name), 0o666); err != nil {
			return err
		}
		t.note(entry{kind: entryDevice, name: name, device: number})
	}
	return nil
}
