package rootfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// recipe is raised with every change of what a root file system holds, so that
// those made before are made anew.
const recipe = "gonsrun root file system, recipe 1"

// A manifest says what a root file system was made from and what it holds. It
// is kept beside it, out of reach of the programs inside.
type manifest struct {
	kind      string    // kindBusybox or kindPrograms
	programs  []program // what was found when it was made, used or not
	libraries []program
	entries   []entry
	links     []string // lines of entries that readManifest has left for later
}

// The kinds of entries, as the manifest has them.
const (
	entryFolder = "folder"
	entryLink   = "link"
	entryFile   = "file"   // a copy: must stay as it was made
	entryText   = "text"   // settings: may be changed, not emptied
	entryDevice = "device" // a character device
)

// An entry is one file in the root file system.
type entry struct {
	kind, name string
	target     string // of a link
	mode       uint32 // of a file: its permissions
	size       int64  // of a file: bytes
	mtime      int64  // of a file or folder: ns since 1970
	device     uint64 // of a device: its number
}

// write writes the manifest as text, one thing a line, fields separated by
// tabs. The names in it come from this package and from loaders.
func (m *manifest) write(path string) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\nkind\t%s\n", recipe, m.kind)
	for _, p := range m.programs {
		fmt.Fprintf(&text, "program\t%s\n", p.line())
	}
	for _, p := range m.libraries {
		fmt.Fprintf(&text, "library\t%s\n", p.line())
	}
	for _, e := range m.entries {
		fmt.Fprintf(&text, "%s\t%s\t%s\t%d\t%d\t%d\t%d\n", e.kind, e.name, e.target, e.mode, e.size, e.mtime, e.device)
	}
	return os.WriteFile(path, []byte(text.String()), 0o644)
}

// readManifest reads what write wrote. One of another recipe is an error.
func readManifest(path string) (*manifest, error) {
	head, body, _ := strings.Cut(proc.Read(path), "\n")
	if head != recipe {
		return nil, fmt.Errorf("%s: made by another recipe, %q", path, head)
	}
	m := &manifest{entries: make([]entry, 0, 400)}
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, entryLink+"\t") {
			m.links = append(m.links, line) // an applet each, and few are ever looked at
			continue
		}
		if err := m.parse(line); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return m, nil
}

// parse adds one line of the manifest.
func (m *manifest) parse(line string) (err error) {
	field := strings.Split(line, "\t")
	number := func(i int) (n int64) {
		if err == nil {
			n, err = strconv.ParseInt(field[i], 10, 64)
		}
		return n
	}
	switch {
	case field[0] == "kind" && len(field) == 2:
		m.kind = field[1]
	case field[0] == "program" && len(field) == 5:
		m.programs = append(m.programs, program{field[1], field[4], number(2), number(3)})
	case field[0] == "library" && len(field) == 5:
		m.libraries = append(m.libraries, program{field[1], field[4], number(2), number(3)})
	case len(field) == 7:
		m.entries = append(m.entries, entry{field[0], field[1], field[2], uint32(number(3)), number(4), number(5), uint64(number(6))})
	default:
		return fmt.Errorf("%q has %d fields", line, len(field))
	}
	return err
}

// outdated says which program of this machine has changed since, "" for none.
func (m *manifest) outdated(dirs []string) string {
	before, now := map[string]program{}, map[string]program{}
	for _, p := range m.programs {
		before[p.path] = p
	}
	for _, p := range findAll(m.kind, dirs) {
		now[p.path] = p
		if was, ok := before[p.path]; !ok {
			return p.path + " is new on this machine"
		} else if was != p {
			return p.path + " has changed on this machine"
		}
	}
	for _, p := range m.programs {
		if _, ok := now[p.path]; !ok {
			return p.path + " is no longer what this machine would use"
		}
	}
	for _, p := range m.libraries {
		var st unix.Stat_t
		if unix.Stat(p.path, &st) != nil || st.Size != p.size || st.Mtim.Nano() != p.mtime {
			return p.path + " has changed on this machine"
		}
	}
	return ""
}

// damaged says which entry of the root file system, open as the folder dirfd,
// is not as it was made, "" for none. What was added inside does not matter.
func (m *manifest) damaged(dirfd int) string {
	quiet := map[string]bool{} // folders where no name was added, removed or replaced
	for i := range m.entries {
		e := &m.entries[i]
		var st unix.Stat_t
		if !e.intact(dirfd, &st) {
			return "/" + e.name + " in it is missing or changed"
		}
		if e.kind == entryFolder {
			quiet[e.name] = st.Mtim.Nano() == e.mtime
		}
	}
	for _, line := range m.links {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, entryLink+"\t"), "\t")
		if quiet[filepath.Dir(name)] {
			continue // saves a call for each applet of busybox: a link cannot change in place
		}
		link := manifest{}
		if link.parse(line) != nil || !link.entries[0].intact(dirfd, nil) {
			return "/" + name + " in it is missing or changed"
		}
	}
	return ""
}

func (e *entry) intact(dirfd int, st *unix.Stat_t) bool {
	if e.kind == entryLink {
		var target [256]byte
		n, err := unix.Readlinkat(dirfd, e.name, target[:])
		return err == nil && string(target[:n]) == e.target
	}
	if unix.Fstatat(dirfd, e.name, st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return false
	}
	switch e.kind {
	case entryFolder:
		return st.Mode&unix.S_IFMT == unix.S_IFDIR
	case entryFile:
		return st.Mode == unix.S_IFREG|e.mode && st.Size == e.size && st.Mtim.Nano() == e.mtime
	case entryText:
		return st.Mode&unix.S_IFMT == unix.S_IFREG && st.Size > 0
	case entryDevice:
		return st.Mode&unix.S_IFMT == unix.S_IFCHR && uint64(st.Rdev) == e.device
	}
	return false
}
