package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// What a root file system can be made from.
const (
	kindBusybox  = "busybox"
	kindPrograms = "programs"
)

// errNoShell is the error of a machine with nothing to make a root file system from.
var errNoShell = errors.New("this machine has neither a busybox nor a program sh")

// A builder makes one root file system, and notes in the manifest what it was
// made from and what it holds.
type builder struct {
	tree
	copied map[[2]uint64]string // by the identity of the original: its name in the root
	taken  map[string]bool      // names in /bin
}

// build fills the empty folder dir from the programs in dirs. contents says
// from which, for the reader.
func build(dir string, dirs []string) (m *manifest, contents string, err error) {
	t, err := newTree(dir)
	if err != nil {
		return nil, "", err
	}
	b := &builder{tree: *t, copied: map[[2]uint64]string{}, taken: map[string]bool{}}
	if err := b.furnish(); err != nil {
		return nil, "", err
	}
	contents, err = b.install(dirs)
	if err != nil {
		return nil, "", err
	}
	return b.manifest, contents, b.finish()
}

// install brings in the programs: first bash, whose name some busyboxes claim.
func (b *builder) install(dirs []string) (contents string, err error) {
	busybox, static := chooseBusybox(find(busyboxes, dirs, true))
	b.manifest.kind = kindPrograms
	if busybox != nil {
		b.manifest.kind = kindBusybox
	}
	b.manifest.programs = findAll(b.manifest.kind, dirs)

	if _, err := b.programs(find(shells, dirs, false)); err != nil {
		return "", err
	}
	if busybox != nil {
		contents, err = b.busybox(busybox, static)
	} else {
		contents, err = b.usual(find(programs(), dirs, false))
	}
	if err == nil && b.taken["bash"] {
		contents += " and bash"
	}
	return contents, err
}

// A multicall is a busybox: one program that is many, its applets.
type multicall struct {
	program
	libraries []string
	applets   []string
}

// chooseBusybox returns the first static busybox that works, else the first
// that works at all, nil when there is none.
func chooseBusybox(found []program) (choice *multicall, static bool) {
	for _, p := range found {
		libs, err := libraries(p.path)
		if err != nil || choice != nil && len(libs) > 0 {
			continue
		}
		applets := listApplets(p.path)
		if applets == nil {
			continue
		}
		choice = &multicall{p, libs, applets}
		if len(libs) == 0 {
			return choice, true
		}
	}
	return choice, false
}

// listApplets asks a busybox for its applets, nil when it has no shell.
func listApplets(busybox string) []string {
	output, err := ask(busybox, "--list")
	if err != nil {
		return nil
	}
	var applets []string
	shell := false
	for _, name := range strings.Fields(output) {
		if strings.Contains(name, "/") || name == "." || name == ".." {
			continue
		}
		shell = shell || name == "sh"
		applets = append(applets, name)
	}
	if !shell {
		return nil
	}
	return applets
}

// busybox installs busybox and a link for each applet.
func (b *builder) busybox(m *multicall, static bool) (contents string, err error) {
	if err := b.program("busybox", m.path, m.libraries); err != nil {
		return "", err
	}
	for _, applet := range m.applets {
		if b.taken[applet] {
			continue
		}
		b.taken[applet] = true
		if err := b.link("bin/"+applet, "busybox"); err != nil {
			return "", err
		}
	}
	what := ""
	if !static {
		what = " (with its libraries)"
	}
	return fmt.Sprintf("%s%s and its %d applets", m.path, what, len(m.applets)), nil
}

// usual installs the usual programs of a system without busybox.
func (b *builder) usual(found []program) (contents string, err error) {
	count, err := b.programs(found)
	if err != nil {
		return "", err
	}
	if !b.taken["sh"] {
		if !b.taken["bash"] {
			return "", errNoShell
		}
		if err := b.link("bin/sh", "bash"); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d of this machine's programs", count), nil
}

// programs installs those of found that can be: a script, or a program whose
// libraries are not all there, is left out. It returns how many it installed.
func (b *builder) programs(found []program) (count int, err error) {
	libs := listEach(found)
	for i, p := range found {
		if libs[i].err != nil {
			continue
		}
		if err := b.program(p.name, p.path, libs[i].paths); err != nil {
			return count, err
		}
		count++
	}
	return count, nil
}

type listing struct {
	paths []string
	err   error
}

// listEach finds the libraries of each program, some at a time: most of the
// time of a build goes into starting loaders.
func listEach(found []program) []listing {
	lists := make([]listing, len(found))
	next := make(chan int)
	var workers sync.WaitGroup
	for range 2 * runtime.NumCPU() {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for i := range next {
				lists[i].paths, lists[i].err = libraries(found[i].path)
			}
		}()
	}
	for i := range found {
		next <- i
	}
	close(next)
	workers.Wait()
	return lists
}

// program installs one program as /bin/name, with its libraries. Of a program
// with several names, as sh and bash or the applets of a busybox often are,
// there is one copy and links to it.
func (b *builder) program(name, path string, libs []string) error {
	b.taken[name] = true
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return fmt.Errorf("stat %s: %w", path, err)
	}
	if first, ok := b.copied[identity(&st)]; ok {
		return b.link("bin/"+name, first)
	}
	b.copied[identity(&st)] = name
	if err := b.copy("bin/"+name, path, 0o755); err != nil {
		return err
	}
	for _, lib := range libs {
		if err := b.library(lib); err != nil {
			return err
		}
	}
	return nil
}

// library installs a library where the loader will look for it.
func (b *builder) library(path string) error {
	if b.has(path[1:]) {
		return nil
	}
	if err := b.copy(path[1:], path, 0o755); err != nil {
		return err
	}
	b.manifest.libraries = append(b.manifest.libraries, b.lastCopied)
	if base := filepath.Base(path); strings.HasPrefix(base, "libc.so") || strings.HasPrefix(base, "ld-musl-") {
		return b.companions(path)
	}
	return nil
}

// terminals are the values of TERM that bash, less and top are likely to meet.
func terminals() []string {
	return strings.Fields(`
		ansi alacritty dumb foot linux rxvt-unicode rxvt-unicode-256color screen screen-256color
		tmux tmux-256color vt100 vt102 vt220 wezterm xterm xterm-color xterm-256color xterm-ghostty xterm-kitty`)
}

// companions brings what programs of the C library libc look for but no loader
// lists: where the libraries are (glibc has a cache of that, musl a list), how
// to find users and hosts (before glibc 2.34), and what the terminals can do.
func (b *builder) companions(libc string) error {
	dir, base := filepath.Split(libc)
	wanted := []string{"/etc/ld.so.cache", "/etc/" + strings.TrimSuffix(base, ".so.1") + ".path"}
	for _, lib := range []string{"libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"} {
		wanted = append(wanted, filepath.Join(dir, lib))
	}
	for _, base := range []string{"/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo"} {
		for _, terminal := range terminals() {
			wanted = append(wanted, filepath.Join(base, terminal[:1], terminal))
		}
	}
	for _, path := range wanted {
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || b.has(path[1:]) {
			continue
		}
		if err := b.copy(path[1:], path, 0o644); err != nil {
			return err
		}
	}
	return nil
}
