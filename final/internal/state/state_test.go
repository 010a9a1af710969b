//go:build linux

package state

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The test binary started again looks after a container, until its stdin ends.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "keep" {
		if _, err := Create(os.Args[2]); err != nil {
			os.Stdout.WriteString(err.Error())
		}
		os.Stdout.WriteString("\n")
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// ownFolder gives the test a folder of containers of its own: as an ordinary
// user by XDG_RUNTIME_DIR, as root, where that has no meaning, as the ordinary
// user nobody.
func ownFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	if os.Geteuid() == 0 {
		for parent := dir; parent != os.TempDir() && parent != "/"; parent = filepath.Dir(parent) {
			os.Chmod(parent, 0o755)
		}
		os.Chown(dir, nobody, nobody)
		if err := syscall.Setresuid(nobody, nobody, 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Setresuid(0, 0, 0) })
	}
	return dir + "/gonsrun"
}

const nobody = 65534

// keep starts a process that looks after the container id, and returns the
// function that kills it.
func keep(t *testing.T, id string) (kill func()) {
	t.Helper()
	keeper := exec.Command("/proc/self/exe", "keep", id)
	stdin, _ := keeper.StdinPipe()
	stdout, _ := keeper.StdoutPipe()
	if err := keeper.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		keeper.Process.Kill()
		keeper.Wait()
	})
	t.Cleanup(kill)
	t.Cleanup(func() { stdin.Close() })
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "\n" {
		t.Fatalf("the keeper of %s: %q, %v", id, line, err)
	}
	return kill
}

// ids lists the containers, sorted.
func ids(t *testing.T) (names []string) {
	t.Helper()
	dirs, err := List()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		names = append(names, dir.ID)
	}
	slices.Sort(names)
	return names
}

// An ordinary user's containers are in their runtime directory, or where
// everybody may write, when there is none.
func TestRoot(t *testing.T) {
	root := ownFolder(t)
	if got := Root(); got != root {
		t.Errorf("Root is %s, expected %s", got, root)
	}
	t.Setenv("XDG_RUNTIME_DIR", "/proc")
	if got := Root(); !regexp.MustCompile(`^/tmp/gonsrun-\d+$`).MatchString(got) {
		t.Errorf("without a runtime directory that can be written to, Root is %s", got)
	}
}

// A folder that another user could have made is not believed.
func TestForeignRoot(t *testing.T) {
	for what, put := range map[string]func(root string) error{
		"a link":                      func(root string) error { return os.Symlink(filepath.Dir(root), root) },
		"a file":                      func(root string) error { return os.WriteFile(root, nil, 0o600) },
		"where others may write":      func(root string) error { return errors.Join(os.Mkdir(root, 0o700), os.Chmod(root, 0o777)) },
		"where the group's may write": func(root string) error { return errors.Join(os.Mkdir(root, 0o700), os.Chmod(root, 0o770)) },
	} {
		t.Run(what, func(t *testing.T) {
			root := ownFolder(t)
			if err := put(root); err != nil {
				t.Fatal(err)
			}
			if _, err := Create(NewID()); err == nil || !strings.Contains(err.Error(), root) {
				t.Errorf("Create: %v, expected an error that names %s", err, root)
			}
			if _, err := List(); err == nil {
				t.Error("List believes what is in there")
			}
		})
	}
}

func TestNewID(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := NewID()
		if !regexp.MustCompile(`^[0-9a-f]{12}$`).MatchString(id) || seen[id] {
			t.Fatalf("the id %q is not new, or not 12 hexadecimal digits", id)
		}
		seen[id] = true
	}
}

// A container is there, and kept, until it is released.
func TestCreate(t *testing.T) {
	ownFolder(t)
	if list := ids(t); list != nil {
		t.Errorf("before the first container there are %v", list)
	}
	d, err := Create("0123456789ab")
	if err != nil {
		t.Fatal(err)
	}
	if list := ids(t); !slices.Equal(list, []string{"0123456789ab"}) {
		t.Errorf("the containers are %v", list)
	}
	other := &Dir{ID: d.ID, Path: d.Path}
	if !other.Kept() || other.Claim() {
		t.Error("somebody else can have a container that is looked after")
	}
	d.Release()
	if other.Kept() || !other.Claim() {
		t.Error("a container that was released is not to be had")
	}
	if again := (&Dir{ID: d.ID, Path: d.Path}); !again.Kept() || again.Claim() {
		t.Error("a container that was claimed can be claimed once more")
	}
	if err := other.Remove(); err != nil || ids(t) != nil {
		t.Errorf("Remove: %v; there are %v", err, ids(t))
	}
	if err := other.Remove(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Remove once more: %v", err)
	}
	if other.Kept() {
		t.Error("a container that is gone is kept")
	}
}

// While many are made and removed, nobody ever finds one without its keeper,
// and nothing is taken away from who is making it.
func TestCreateAtOnce(t *testing.T) {
	root := ownFolder(t)
	var makers, lookers sync.WaitGroup
	done := make(chan bool)
	for range 2 {
		lookers.Add(1)
		go func() {
			defer lookers.Done()
			for {
				dirs, err := List()
				if err != nil {
					t.Errorf("List: %v", err)
				}
				for _, d := range dirs {
					if !d.Kept() && exists(d.Path) {
						t.Errorf("container %s is found without a keeper", d.ID)
					}
				}
				select {
				case <-done:
					return
				default:
				}
			}
		}()
	}
	for range 10 {
		makers.Add(1)
		go func() {
			defer makers.Done()
			for range 10 {
				d, err := Create(NewID())
				if err != nil {
					t.Errorf("Create: %v", err)
					return
				}
				if err := d.Save("state", d.ID); err != nil {
					t.Errorf("Save: %v", err)
				}
				if err := d.Remove(); err != nil {
					t.Errorf("Remove: %v", err)
				}
				d.Release()
			}
		}()
	}
	makers.Wait()
	close(done)
	lookers.Wait()
	expectOnly(t, root)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// expectOnly expects these entries in a folder, besides the locks.
func expectOnly(t *testing.T, root string, names ...string) {
	t.Helper()
	ids(t) // whoever looks cleans up
	entries, _ := os.ReadDir(root)
	var found []string
	for _, entry := range entries {
		if entry.IsDir() {
			found = append(found, entry.Name())
		}
	}
	if !slices.Equal(found, names) {
		t.Errorf("%s holds %v, expected %v", root, found, names)
	}
}

// Of those that make the same container, one does.
func TestCreateTheSame(t *testing.T) {
	root := ownFolder(t)
	var all sync.WaitGroup
	made := make(chan *Dir, 10)
	for range cap(made) {
		all.Add(1)
		go func() {
			defer all.Done()
			if d, err := Create("0123456789ab"); err == nil {
				made <- d
			}
		}()
	}
	all.Wait()
	if len(made) != 1 {
		t.Errorf("%d have made the same container", len(made))
	}
	expectOnly(t, root, "0123456789ab")
	for len(made) > 0 {
		(<-made).Release()
	}
}

// When the keeper is killed, its container is anybody's.
func TestKeeperIsKilled(t *testing.T) {
	root := ownFolder(t)
	kill := keep(t, "0123456789ab")
	d := &Dir{ID: "0123456789ab", Path: root + "/0123456789ab"}
	if !d.Kept() || d.Claim() {
		t.Error("the container of a living keeper can be had")
	}
	kill()
	if d.Kept() || !d.Claim() {
		t.Error("the container of a killed keeper cannot be had")
	}
	d.Release()
}

// Asking who looks after a container looks to others like nothing: whoever waits
// for the keeper's end would ask again, and wake itself for ever.
func TestKeptIsQuiet(t *testing.T) {
	ownFolder(t)
	d, err := Create(NewID())
	if err != nil {
		t.Fatal(err)
	}
	events, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(events)
	if _, err := unix.InotifyAddWatch(events, d.Path, unix.IN_MODIFY|unix.IN_CREATE|unix.IN_DELETE|unix.IN_MOVE|unix.IN_CLOSE_WRITE); err != nil {
		t.Fatal(err)
	}
	if !d.Kept() {
		t.Error("we do not look after it")
	}
	if n, err := unix.Read(events, make([]byte, 4096)); err != unix.EAGAIN {
		t.Errorf("Kept has made %d bytes of events, %v", n, err)
	}
	d.Release()
	if n, err := unix.Read(events, make([]byte, 4096)); err != nil || n == 0 {
		t.Errorf("that the keeper lets go makes no event: %d bytes, %v", n, err)
	}
	if d.Kept() {
		t.Error("somebody looks after it, after Release")
	}
}

// Whoever inherits the lock keeps the container, too.
func TestInheritedLock(t *testing.T) {
	ownFolder(t)
	d, err := Create(NewID())
	if err != nil {
		t.Fatal(err)
	}
	heir := exec.Command("/proc/self/exe", "keep", NewID())
	lock, err := unix.Dup(d.lock)
	if err != nil {
		t.Fatal(err)
	}
	heir.ExtraFiles = []*os.File{os.NewFile(uintptr(lock), "lock")}
	stdin, _ := heir.StdinPipe()
	if err := heir.Start(); err != nil {
		t.Fatal(err)
	}
	heir.ExtraFiles[0].Close()
	d.Release()
	if !d.Kept() {
		t.Error("nobody keeps the container, although the lock was inherited")
	}
	stdin.Close()
	heir.Wait()
	if d.Kept() {
		t.Error("the container is still kept, although the heir has ended")
	}
}

// What a killed process left half made, or half removed, goes with the next look.
func TestHalfMade(t *testing.T) {
	root := ownFolder(t)
	d, err := Create("0123456789ab")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Release()
	if err := os.MkdirAll(root+"/.ba9876543210/layers/upper", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"/.ba9876543210/lock", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if list := ids(t); !slices.Equal(list, []string{"0123456789ab"}) {
		t.Errorf("the containers are %v", list)
	}
	expectOnly(t, root, "0123456789ab")
}

// Only one process at a time looks for a name.
func TestLockNames(t *testing.T) {
	ownFolder(t)
	inTurns(t, func() (after func() error, err error) {
		runtime.Gosched() // let the others come in, if they can
		return func() error { return nil }, nil
	})
}

// inTurns has many do something at once, with the lock of names, and after it.
func inTurns(t *testing.T, locked func() (after func() error, err error)) {
	t.Helper()
	var all sync.WaitGroup
	var inside atomic.Int32
	for range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			for range 50 {
				unlock, err := LockNames()
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d have the lock", n)
				}
				after, err := locked()
				inside.Add(-1)
				unlock()
				if err == nil {
					err = after()
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	all.Wait()
}

// The folder of all containers goes with the last one, and not before, also when
// many come and go at once.
func TestTidy(t *testing.T) {
	root := ownFolder(t)
	first, err1 := Create(NewID())
	second, err2 := Create(NewID())
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if err := first.Remove(); err != nil {
		t.Error(err)
	}
	if list := ids(t); !slices.Equal(list, []string{second.ID}) {
		t.Errorf("the containers are %v", list)
	}
	if err := second.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the last container: %v, expected that %s is gone", err, root)
	}

	inTurns(t, func() (after func() error, err error) {
		d, err := Create(NewID())
		return func() error { return d.Remove() }, err
	})
	if _, err := os.Stat(root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after all: %v, expected that %s is gone", err, root)
	}
}

// A reader sees the old or the new description, and nothing between.
func TestSaveIsOneStep(t *testing.T) {
	ownFolder(t)
	d, err := Create(NewID())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Release()
	type description struct{ First, Filling, Last string }
	of := func(i int) description {
		s := strings.Repeat("x", i)
		return description{s, strings.Repeat(s, 100), s}
	}
	if err := d.Save("config", of(0)); err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	go func() {
		defer close(done)
		for i := range 200 {
			if err := d.Save("config", of(i%50)); err != nil {
				t.Errorf("Save: %v", err)
			}
		}
	}()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		var seen description
		if err := d.Load("config", &seen); err != nil || seen.First != seen.Last {
			t.Fatalf("Load: %v; %q … %q", err, seen.First, seen.Last)
		}
	}
	if info, err := os.Stat(d.Path + "/config.json"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("config.json: %v, %v; expected one for its owner alone", info, err)
	}
}

// What cannot be loaded is named.
func TestLoad(t *testing.T) {
	ownFolder(t)
	d, err := Create("0123456789ab")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Release()
	var value any
	if err := d.Load("state", &value); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Load of what was never saved: %v", err)
	}
	if err := d.Save("state", make(chan int)); err == nil {
		t.Error("Save of what JSON does not have: no error")
	}
	if err := os.WriteFile(d.Path+"/state.json", []byte(`{"id":`), 0o600); err != nil {
		t.Fatal(err)
	}
	var syntax *json.SyntaxError
	if err := d.Load("state", &value); !errors.As(err, &syntax) || !strings.Contains(err.Error(), "0123456789ab") {
		t.Errorf("Load of half a file: %v", err)
	}
}
