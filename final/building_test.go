//go:build linux

package main

import (
	"os"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/ippool"
	"gonsrun/internal/lessontest"
)

// inTheMakingOf starts a container of which the host's side waits, for us to let go
// of the network's lock, and the container's side for its description. It returns
// the latter's pid.
func inTheMakingOf(t *testing.T) (making *lessontest.Running, child int, letGo func()) {
	t.Helper()
	detached(t, lesson, "-network", "none", "sleep", "1000") // or the sweep would wait for the lock
	pool, err := ippool.Open(networkDir())
	if err != nil {
		t.Fatal(err)
	}
	letGo = sync.OnceFunc(func() {
		if err := pool.Forget(); err != nil {
			t.Error(err)
		}
		pool.Close()
	})
	t.Cleanup(letGo) // also when the test ends here
	making = lesson.Start(t, "-quiet", "run", "-memory", "64m", "true")
	if !lessontest.Eventually(lessontest.Patience, func() bool { return waitsIn(making.Pid(), unix.SYS_FLOCK) }) {
		t.Fatal("the host's side does not wait for the network's lock")
	}
	return making, making.Child(), letGo
}

// A signal that comes while a container is made ends the container's side at once,
// and the host's side when it has removed what it has made.
func TestToldInTheMaking(t *testing.T) {
	asRoot(t)
	for _, sig := range []syscall.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP} {
		making, child, letGo := inTheMakingOf(t)
		making.Signal(sig)
		expectGone(t, lessontest.Soon, []int{child})
		letGo()
		making.Wait().Exits(128 + int(sig)).Prints("").IsSilent()
	}
}

// When the host's side is killed, the container's side, which waits for it, ends.
func TestKilledInTheMaking(t *testing.T) {
	asRoot(t)
	making, child, letGo := inTheMakingOf(t)
	making.Signal(unix.SIGKILL)
	expectGone(t, lessontest.Soon, []int{child})
	making.Wait()
	letGo()
	lesson.Type(t, "sweep").Exits(0).PrintsMatch(`^[0-9a-f]{12}\n$`)
}

// When the container's side is killed before it has become the command, the host's
// side says so: nobody waits for ever.
func TestContainerKilledInTheMaking(t *testing.T) {
	asRoot(t)
	making, child, letGo := inTheMakingOf(t)
	unix.Kill(child, unix.SIGKILL)
	letGo()
	making.Wait().Exits(128 + 9).Prints("").Says("SIGKILL has ended the container's side before it became the command")
}

// With -init, too, a script whose interpreter is not there is not found.
func TestNoInterpreter(t *testing.T) {
	asRoot(t)
	volume := t.TempDir()
	if err := os.WriteFile(volume+"/script", []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"-init=false", "-init"} {
		lesson.Type(t, "-quiet", "run", flag, "-network", "none", "-v", volume+":/volume", "/volume/script").
			Prints("").Says("execve /volume/script", "ENOENT", "ELF interpreter").Exits(127)
	}
}
