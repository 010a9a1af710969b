package doctor

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// thisMachine describes the machine that we run on.
func thisMachine() machine {
	lower := lowerFolder(machine{}.mountPoints())
	return machine{
		uid:     os.Geteuid(),
		arch:    runtime.GOARCH,
		search:  append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/go/bin", "/usr/lib/go/bin", goRoot()),
		parent:  strconv.Itoa(os.Getppid()),
		lower:   lower,
		again:   proc.Typed("final", true, "doctor"),
		run:     proc.Typed("final", false, "run"),
		clone:   tryClone,
		trial:   func(user bool) trialReport { return runTrial(user, lower) },
		access:  accessible,
		seccomp: seccompErrno,
		trace:   tryTracing,
	}
}

// goRoot is where the go tool that built this program was: under sudo, PATH
// often leads to another one, or to none.
func goRoot() string {
	//lint:ignore SA1019 on the machine that built us it is right, elsewhere it leads nowhere
	return filepath.Join(runtime.GOROOT(), "bin")
}

// callersPath are the folders where who called sudo looks for programs: sudo
// replaces PATH by one of its own, and its own environment is the caller's. The
// go tool that started us knows best which one is used.
func (m machine) callersPath() (folders []string) {
	if m.uid != 0 {
		return nil
	}
	underSudo := false
	for pid := m.parent; pid != "" && pid != "0"; pid = m.field("/proc/"+pid+"/status", "PPid") {
		comm := m.read("/proc/" + pid + "/comm")
		if exe, err := os.Readlink(m.root + "/proc/" + pid + "/exe"); err == nil && comm == "go" {
			folders = append(folders, filepath.Dir(exe))
		}
		if comm == "sudo" || comm == "su" || comm == "doas" {
			underSudo = true
		}
		if !underSudo {
			continue
		}
		for _, variable := range strings.Split(m.read("/proc/"+pid+"/environ"), "\x00") {
			if path, found := strings.CutPrefix(variable, "PATH="); found {
				folders = append(folders, filepath.SplitList(path)...)
			}
		}
	}
	return folders
}

// find returns the path of a program, "" where there is none.
func (m machine) find(name string) string { return m.findIn(m.search, name) }

// findIn is find in other folders.
func (m machine) findIn(folders []string, name string) string {
	for _, dir := range folders {
		path := filepath.Join(dir, name)
		info, err := os.Stat(m.root + path)
		if err == nil && !info.IsDir() && info.Mode()&0o111 != 0 && filepath.IsAbs(path) {
			return path
		}
	}
	return ""
}

// managers are the package managers, and how to install with them.
var managers = []struct{ program, install string }{
	{"apt-get", "apt-get install "},
	{"dnf", "dnf install "},
	{"apk", "apk add "},
	{"pacman", "pacman -S "},
	{"zypper", "zypper install "},
}

// packages have other names outside Debian and its relatives.
var packages = []struct{ name, manager, other string }{
	{"busybox-static", "dnf", "busybox"},
	{"busybox-static", "pacman", "busybox"},
	{"golang-go", "dnf", "golang"},
	{"golang-go", "apk", "go"},
	{"golang-go", "pacman", "go"},
	{"golang-go", "zypper", "go"},
}

// install is what to type to have a package, given by its name in Debian.
func (m machine) install(name string) string {
	for _, manager := range managers {
		if m.find(manager.program) == "" {
			continue
		}
		for _, p := range packages {
			if p.name == name && p.manager == manager.program {
				return m.asRoot(manager.install + p.other)
			}
		}
		return m.asRoot(manager.install + name)
	}
	return "install the package " + name
}

// tool looks for a program that is in a package of the same name.
func (m machine) tool(name, why string) Result {
	if path := m.find(name); path != "" {
		return Result{Name: name, Found: path}
	}
	return Result{name, Warn, "not installed: " + why, m.install(name)}
}

// firewall looks for what final makes NAT with.
func (m machine) firewall() Result {
	for _, name := range []string{"nft", "iptables"} {
		if path := m.find(name); path != "" {
			return Result{Name: "firewall", Found: path}
		}
	}
	return Result{"firewall", Warn, "neither nft nor iptables: containers will not reach beyond this host", m.install("nftables")}
}

// busybox looks for the program that the default root file system is made of.
func (m machine) busybox() Result {
	path := m.find("busybox")
	if path == "" {
		return Result{"busybox", Warn, "not installed: the root file system is made of this machine's own programs", m.install("busybox-static")}
	}
	f, err := elf.Open(m.root + path)
	if err != nil {
		return Result{"busybox", Warn, path + " is not a program: " + err.Error(), m.install("busybox-static")}
	}
	defer f.Close()
	for _, segment := range f.Progs {
		if segment.Type == elf.PT_INTERP {
			return Result{Name: "busybox", Found: path + ", with shared libraries"}
		}
	}
	return Result{Name: "busybox", Found: path + ", static"}
}

// goVersion is the oldest that builds this module: the go line of its go.mod.
const goVersion = "1.24"

// goTool looks for the go command. Its version is in a file beside it, so that
// nothing has to be started that may download another one.
func (m machine) goTool() Result {
	path := m.findIn(append(m.callersPath(), m.search...), "go")
	if path == "" {
		return Result{"go", Warn, "not installed: go run and go test need it", m.install("golang-go")}
	}
	r := Result{Name: "go", Found: path}
	real, err := filepath.EvalSymlinks(m.root + path)
	if err != nil {
		return r
	}
	text, _ := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(real)), "VERSION"))
	version, _, _ := strings.Cut(string(text), "\n")
	if version == "" {
		return r
	}
	r.Found += ", " + version
	var major, minor, wantMajor, wantMinor int
	fmt.Sscanf(goVersion, "%d.%d", &wantMajor, &wantMinor)
	if n, _ := fmt.Sscanf(version, "go%d.%d", &major, &minor); n == 2 && (major < wantMajor || major == wantMajor && minor < wantMinor) {
		r.State, r.Found = Warn, r.Found+", older than "+goVersion
		r.ToDo = "install Go " + goVersion + " or later: https://go.dev/dl/ has it, and Debian since 13"
	}
	return r
}

// filter looks for seccomp, for a filter as final's: it answers calls with an errno.
func (m machine) filter() Result {
	if m.arch != "amd64" && m.arch != "arm64" {
		return Result{"seccomp", Fail, "final has a filter for amd64 and arm64, not for " + m.arch, "  " + m.run + " -security-opt seccomp=unconfined …"}
	}
	if err := m.seccomp(); err != nil {
		return Result{"seccomp", Fail, "no filters: " + describe(err), "use a kernel with CONFIG_SECCOMP_FILTER=y, or do without:\n  " + m.run + " -security-opt seccomp=unconfined …"}
	}
	return Result{Name: "seccomp", Found: "filters work"}
}

// seccompErrno asks the kernel without installing anything: seccomp(2) knows
// which actions there are since 4.14, and before that a filter at address 0 is
// a bad address only where there are filters.
func seccompErrno() error {
	action := uint32(unix.SECCOMP_RET_ERRNO)
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action)))
	if errno == 0 {
		return nil
	}
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, 0, 0, 0)
	if errors.Is(err, unix.EFAULT) {
		return nil
	}
	return err
}
