package docs

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/lessontest"
)

// scratch is the folder with the built programs and the stand-in for go.
const scratchVariable = "GONSRUN_BOOK"

// TestMain runs the book in mount, UTS and network namespaces of its own: it
// shows how a container changes the host's name or leaves a mount behind, and
// no machine shall be left like that. All mounts are made shared there, as
// systemd has them.
func TestMain(m *testing.M) {
	flag.Parse()
	switch {
	case os.Geteuid() != 0:
		os.Exit(m.Run())
	case os.Getenv(scratchVariable) != "":
		if err := settle(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	scratch, err := os.MkdirTemp("", "gonsrun-book-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	again := exec.Command("/proc/self/exe", os.Args[1:]...)
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.Env = append(os.Environ(), scratchVariable+"="+scratch)
	again.SysProcAttr = &unix.SysProcAttr{
		Unshareflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWNET,
		Pdeathsig:    unix.SIGKILL,
	}
	err = again.Run()
	os.RemoveAll(scratch)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// settle makes the new namespaces a machine as a reader's: its name, no
// root file system made yet, and no containers.
func settle() error {
	if err := unix.Sethostname([]byte("laptop")); err != nil {
		return fmt.Errorf("sethostname: %w", err)
	}
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("mount of / as shared: %w", err)
	}
	if err := os.MkdirAll(cache(), 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", cache(), "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount of a tmpfs on %s: %w", cache(), err)
	}
	if err := ownFiles("/etc/subuid"); err != nil {
		return err
	}
	if err := oneVersion(); err != nil {
		return err
	}
	if err := lessontest.OwnMachine(); err != nil {
		return err
	}
	return resolver()
}

// oneVersion takes cgroup v2 away where v1 is there, too: crun refuses to run on such
// a machine, and no reader's is one.
func oneVersion() error {
	const second = "/sys/fs/cgroup/unified"
	var fs unix.Statfs_t
	if unix.Statfs(second, &fs) != nil || fs.Type != unix.CGROUP2_SUPER_MAGIC {
		return nil
	}
	if err := unix.Unmount(second, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %s: %w", second, err)
	}
	return nil
}

// ownFiles mounts copies over files that a page writes to.
func ownFiles(names ...string) error {
	for _, name := range names {
		text, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		its := filepath.Join(os.Getenv(scratchVariable), filepath.Base(name))
		if err == nil {
			err = os.WriteFile(its, text, 0o644)
		}
		if err == nil {
			err = unix.Mount(its, name, "", unix.MS_BIND, "")
		}
		if err != nil {
			return fmt.Errorf("a copy on %s: %w", name, err)
		}
	}
	return nil
}

// resolver makes the file that /etc/resolv.conf leads to where that is in
// /run, as systemd-resolved has it: the /run here is a new one.
func resolver() error {
	file, err := os.Readlink("/etc/resolv.conf")
	if err != nil {
		return nil
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join("/etc", file)
	}
	if !strings.HasPrefix(file, "/run/") {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte("nameserver 127.0.0.53\n"), 0o644)
}

// cache is where root's default root file system is kept.
func cache() string {
	if root, err := user.LookupId("0"); err == nil {
		return filepath.Join(root.HomeDir, ".cache/gonsrun")
	}
	return "/root/.cache/gonsrun"
}

// forget removes the default root file system, from the tmpfs that settle has
// mounted: every page begins where none has been made.
func (d *desk) forget(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir(cache())
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(cache(), entry.Name())))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// needs are programs that a page needs beside those of all pages.
var needs = map[string][]string{
	errorsPage:   {"newuidmap", "ip"},
	"explain.md": {"runc", "crun", "bwrap", "unshare", "newuidmap"},
}

// TestConsole types what the console blocks of every page type, in order, and
// compares what comes out.
func TestConsole(t *testing.T) {
	lessontest.NeedRoot(t)
	for _, tool := range []string{"bash", "busybox", "ps", "setpriv"} {
		lessontest.NeedTool(t, tool)
	}
	desk := newDesk(t)
	for _, p := range pages(t) {
		t.Run(strings.TrimSuffix(filepath.Base(p.name), ".md"), func(t *testing.T) {
			for _, tool := range needs[filepath.Base(p.name)] {
				lessontest.NeedTool(t, tool)
			}
			if filepath.Base(p.name) == errorsPage {
				if _, err := os.Stat("/etc/subuid"); err != nil {
					t.Fatal(err, "\nThe page writes to a copy of it, and nothing can be mounted where nothing is. Type: sudo touch /etc/subuid")
				}
			}
			desk.read(t, p)
		})
	}
}

// A desk is where the book is tried: the programs, and a stand-in for go.
type desk struct {
	scratch  string // a folder to be removed at the end
	programs string // the folder with the built programs
	root     string // the repository's
	path     string
}

// newDesk builds the programs and puts a go before the real one that starts
// them, for speed: all of the book's many "go run" then take a second.
func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{scratch: os.Getenv(scratchVariable)}
	root, err := lessontest.Repository()
	if err != nil {
		t.Fatal(err)
	}
	d.root = root
	d.programs = d.folder(t, "programs", 0o755)
	goTool := "/bin/false" // with -built there may be none
	if built := flag.Lookup("built").Value.String(); built != "" {
		if d.programs, err = filepath.Abs(built); err != nil {
			t.Fatal(err)
		}
	} else if tool, err := lessontest.GoTool("version"); err != nil {
		t.Fatal(err)
	} else {
		goTool = tool.Path
	}
	d.path = d.folder(t, "bin", 0o755) + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	d.script(t, "sudo", `exec "$@"`) // root need not ask; and sudo complains about a host whose name it cannot look up
	d.script(t, "go", fmt.Sprintf(goScript, d.scratch+"/real", d.programs, goTool))
	return d
}

// folder makes a folder in the scratch folder, which an ordinary user must get at.
func (d *desk) folder(t *testing.T, name string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(d.scratch, name)
	err := os.MkdirAll(path, mode)
	if err == nil {
		err = errors.Join(os.Chmod(d.scratch, 0o755), os.Chmod(path, mode))
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// build builds the programs that a page starts, unless they are built already.
func (d *desk) build(t *testing.T, p *page) {
	t.Helper()
	for _, match := range started.FindAllStringSubmatch(strings.Join(p.lines, "\n"), -1) {
		program, folder := filepath.Join(d.programs, filepath.Base(match[1])), filepath.Join(d.root, match[1])
		_, built := os.Stat(program)
		_, ours := os.Stat(folder)
		if built == nil || ours != nil { // what a page itself makes is for the real go tool
			continue
		}
		if err := lessontest.Build(folder, program); err != nil {
			t.Fatal(err)
		}
	}
}

var started = regexp.MustCompile(`(?m)^\$ .*go (?:run|build) .*\./([\w/-]+)`)

// goScript does what go run does, with the programs that are built: it passes
// signals by, says how a program failed, and fails with 1. For "go build -o FILE"
// it copies one.
const goScript = `
if [ "$1 $2$GOOS" = "build -o" ] && [ -e %[2]s/"${4##*/}" ] && [ ! -e %[1]s ]; then
	exec cp %[2]s/"${4##*/}" "$3"
fi
case $1$2 in
run-exec) program=%[2]s/${4##*/} ;;
run*) program=%[2]s/${2##*/} ;;
esac
if [ -e "$program" ] && [ ! -e %[1]s ]; then
	shift
	prefix=
	if [ "$1" = -exec ]; then prefix=$2 && shift 2; fi
	shift
	trap : INT QUIT
	$prefix "$program" "$@"
	status=$?
	[ $status = 0 ] && exit
	echo "exit status $status" >&2
	exit 1
fi
exec %[3]s "$@"
`

func (d *desk) script(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(d.scratch, "bin", name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	os.Chmod(path, 0o755)
}

// read types a page.
func (d *desk) read(t *testing.T, p *page) {
	d.build(t, p)
	d.forget(t)
	shells := map[string]*shell{}
	changed := map[*block][]string{}
	first := headed(p)
	var numbers *scope
	for _, b := range p.blocks {
		if b.kind() != "console" || !d.fits(b) {
			continue
		}
		// A section begins with new terminals and new numbers, but for one that
		// goes on with a container of the section before.
		if main := shells[""]; numbers == nil || first[b] && (main == nil || main.prompt == "$ ") {
			closed(t, p, shells)
			numbers = newScope(p.prose())
		}
		name := b.option("terminal") + b.option("user")
		if shells[name] == nil {
			shells[name] = d.open(t, b.option("user"))
		}
		d.reality(t, b.option("go") == "real")
		if lines := shells[name].follow(b, numbers); !slices.Equal(lines, b.lines) {
			changed[b] = lines
		}
	}
	closed(t, p, shells)
	if *update && len(changed) > 0 && !t.Failed() {
		p.replace(t, changed)
	}
}

// closed forgets the terminals of a section. No container may be open in them.
func closed(t *testing.T, p *page, shells map[string]*shell) {
	t.Helper()
	for name, s := range shells {
		if s.prompt != "$ " {
			t.Errorf("%s: at the end of a section a terminal still is at %q: exit there", p.name, s.prompt)
		}
		delete(shells, name)
	}
}

// fits reports whether a block is for this machine: cgroup=v1 or cgroup=v2
// is for those where the limits of step 06 are in such trees, and go=real needs
// the source.
func (d *desk) fits(b *block) bool {
	version := "v1"
	controllers, _ := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	if strings.Contains(string(controllers), "pids") {
		version = "v2"
	}
	built := flag.Lookup("built").Value.String() != ""
	return (b.option("cgroup") == "" || b.option("cgroup") == version) && !(built && b.option("go") == "real")
}

// reality lets go be the real one, for blocks with go=real.
func (d *desk) reality(t *testing.T, real bool) {
	flag := filepath.Join(d.scratch, "real")
	err := os.Remove(flag)
	_, sudo := os.LookupEnv("SUDO_UID") // then root shall not build in the user's folders
	if real && !sudo {
		err = os.WriteFile(flag, nil, 0o644)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

// headed tells the blocks that are the first console block under a heading.
func headed(p *page) map[*block]bool {
	first := map[*block]bool{}
	line := 0
	for _, b := range p.blocks {
		if b.kind() == "console" {
			first[b] = heading.MatchString(strings.Join(p.lines[line:b.start], "\n"))
			line = b.start + len(b.lines)
		}
	}
	return first
}

// A shell is a terminal with a shell on it, or with what was started there.
type shell struct {
	t      *testing.T
	term   *lessontest.Terminal
	read   int    // what was read of the screen
	prompt string // the one it waits at
}

// open starts a shell in the repository, as root or as an ordinary user.
func (d *desk) open(t *testing.T, user string) *shell {
	t.Helper()
	// NewTerminal leaves a descriptor open, 3; a terminal window does not.
	command := exec.Command("/bin/sh", "-c", "exec bash --norc --noprofile --noediting -i 3>&-")
	command.Dir = d.root
	command.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "PATH=") || strings.HasPrefix(v, "CDPATH=") || strings.HasPrefix(v, "XDG_")
	}), "PATH="+d.path, "PS1=$ ", "TERM=dumb", "LC_ALL=C.UTF-8", "HISTFILE=", "PAGER=cat", "CI=")
	if user != "" {
		command.Args = append([]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}, command.Args...)
		command.Path = "/usr/bin/setpriv"
		command.Env = append(command.Env, "HOME="+d.folder(t, "home", 0o777))
	}
	s := &shell{t: t, term: lessontest.NewTerminal(t, 80, command)}
	s.wait("")
	return s
}

var (
	prompts = regexp.MustCompile(`(?:^|\n)((?:[\w.-]+:/\S*# )*)(\$ |[\w.-]+:/\S*# )$`) // busybox draws its prompt again when the window's size changes
	typed   = regexp.MustCompile(`^(\$ |[\w.-]+:[/…]\S*# )(.*)$`)
	fresh   = regexp.MustCompile(`\n? {80}`) // how the narrator begins a line: Screen leaves out the carriage return
	escapes = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")
)

// follow types a block's commands. It returns the block as it should be.
func (s *shell) follow(b *block, scope *scope) (lines []string) {
	for i := 0; i < len(b.lines); {
		command := typed.FindStringSubmatch(b.lines[i])
		if command == nil {
			s.t.Fatalf("%s:%d: a console block begins with a prompt: %q", b.page.name, b.start+i+1, b.lines[i])
		}
		line := b.start + i + 1
		if pattern, _ := scope.pattern(command[1]); !pattern.MatchString(s.prompt) {
			s.t.Fatalf("%s:%d: the terminal is not at the prompt %q but at %q", b.page.name, line, command[1], s.prompt)
		}
		lines = append(lines, b.lines[i])
		next := i + 1
		for next < len(b.lines) && !typed.MatchString(b.lines[next]) {
			next++
		}
		expected := b.lines[i+1 : next]
		i = next

		actual := s.typeLine(scope.command(command[2]))
		problem := scope.match(expected, actual)
		switch {
		case problem == "":
			lines = append(lines, expected...)
		case *update:
			renewed := scope.renew(expected, actual)
			scope.match(renewed, actual)
			lines = append(lines, renewed...)
		default:
			s.t.Errorf("%s:%d: %s\n  typed:\n    %s\n  in the book (go test ./docs -update brings it up to date):\n    %s\n  now:\n    %s", b.page.name, line,
				problem, command[2], strings.Join(expected, "\n    "), strings.Join(actual, "\n    "))
			lines = append(lines, expected...)
		}
	}
	return lines
}

// typeLine types a line at the prompt, waits for the next prompt, and returns
// what came out between.
func (s *shell) typeLine(line string) []string {
	s.term.Type(line + "\n")
	output := s.wait(line)
	if output == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(output, "\n"), "\n")
}

// patience is long, for a machine that is emulated.
const patience = time.Minute

// wait waits for a prompt behind what was typed, and returns what came out.
func (s *shell) wait(typed string) (output string) {
	looked := -1
	done := lessontest.Eventually(patience, func() bool {
		screen := s.term.Screen()
		if len(screen) == looked {
			return false // nothing new: leave the processor to those who work
		}
		looked = len(screen)
		text := escapes.ReplaceAllString(screen[s.read:], "")
		if typed != "" {
			_, after, echoed := strings.Cut(text, "\n")
			if !echoed {
				return false
			}
			text = "\n" + after
		}
		at := prompts.FindStringSubmatchIndex(text)
		if at == nil {
			return false
		}
		s.prompt = text[at[4]:at[5]]
		output = strings.TrimPrefix(fresh.ReplaceAllString(text[:at[2]], "\n"), "\n")
		return true
	})
	if !done {
		s.t.Fatalf("after %q no prompt comes, but:\n%s", typed, s.term.Screen()[s.read:])
	}
	s.read = len(s.term.Screen())
	return output
}

// option returns the value of NAME=VALUE behind the fence, "" for none.
func (b *block) option(name string) string {
	for _, word := range b.info {
		if value, ok := strings.CutPrefix(word, name+"="); ok {
			return value
		}
	}
	return ""
}
