//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gonsrun/internal/lessontest"
)

// withIDs is an ordinary user to whom the system gives a range of subordinate
// ids, as distributions do for those who are added: newuidmap can use it.
func withIDs(t *testing.T) lessontest.Lesson {
	t.Helper()
	lessontest.NeedRoot(t)
	lessontest.NeedTool(t, "newuidmap")
	lessontest.NeedTool(t, "newgidmap")
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		ours := filepath.Join(t.TempDir(), "range")
		if err := os.WriteFile(ours, []byte("nobody:200000:65536\n65534:200000:65536\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(ours, file, "", unix.MS_BIND, ""); err != nil {
			t.Skipf("this machine has no %s to put another one on: %v", file, err)
		}
		t.Cleanup(func() { unix.Unmount(file, unix.MNT_DETACH) })
	}
	return ordinaryUser(t)
}

// With subordinate ids a rootless container has 65537 users: the files that it
// makes are theirs on the host.
func TestSubordinateIDs(t *testing.T) {
	nothingLeft(t)
	user := withIDs(t)
	shared := sharedFolder(t)
	user.Type(t, "-quiet", "run", "/bin/sh", "-c", "echo hi; exit 7").Prints("hi\n").Exits(7)
	user.Type(t, "-quiet", "run", "cat", "/proc/self/uid_map").PrintsMatch(`^ *0 +65534 +1\n *1 +200000 +65536\n$`)
	user.Type(t, "-quiet", "run", "-user", "1000:1000", "-v", shared+":/shared", "sh", "-c", "id -u; touch /shared/theirs").Prints("1000\n").Exits(0)
	expectOwner(t, shared+"/theirs", 200999)
	user.Type(t, "-quiet", "run", "-v", shared+":/shared", "sh", "-c", "touch /shared/mine /shared/given; chown 5:5 /shared/given").Exits(0)
	expectOwner(t, shared+"/mine", 65534)
	expectOwner(t, shared+"/given", 200004)
	user.Type(t, "run", "nosuchcommand").Says("nosuchcommand").Exits(127)

	id := detached(t, user, "sleep", "1000")
	user.Type(t, "-quiet", "exec", "-user", "7", id, "id", "-u").Prints("7\n").Exits(0)
	running, processes := family(t, user)
	running.Signal(unix.SIGKILL)
	running.Wait()
	expectGone(t, lessontest.Patience, processes)
	user.Type(t, "sweep").Exits(0)
}

func expectOwner(t *testing.T, path string, uid uint32) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil || st.Uid != uid {
		t.Errorf("%s belongs to %d on the host, expected %d (%v)", path, st.Uid, uid, err)
	}
}

// Without newuidmap, root is the only user: what takes another one is refused
// with a reason.
func TestOneID(t *testing.T) {
	nothingLeft(t)
	user := ordinaryUser(t)
	without := commandOf(t, user, lessontest.Program(), "-quiet", "run", "sh", "-c", "id -u; cat /proc/self/uid_map")
	without.Env = append(without.Env, "PATH=/nonexistent")
	lessontest.RunCommand(t, "", without).PrintsMatch(fmt.Sprintf(`^0\n *0 +%d +1\n$`, hostUID())).Exits(0)
	other := commandOf(t, user, lessontest.Program(), "run", "-user", "1000", "true")
	other.Env = append(other.Env, "PATH=/nonexistent")
	lessontest.RunCommand(t, "", other).Prints("").SaysMatch(`1000`).Exits(125)
}

// What only root may is refused with what to type instead.
func TestRootlessRefusals(t *testing.T) {
	nothingLeft(t)
	user := ordinaryUser(t)
	user.Type(t, "run", "-network", "bridge", "true").Says("-network bridge", "root").Exits(125)
	for _, flags := range [][]string{{"-p", "8080:80"}, {"-d", "-p", "8080:80"}, {"-network", "bridge", "-p", "8080:80"}} {
		line := append([]string{"run"}, append(flags, "true")...)
		result := user.Type(t, line...).Prints("").Says("-p 8080:80", "bridge", "only root may").Exits(125)
		asRoot := "sudo " + lessontest.Program() + " " + strings.Join(line, " ")
		if !strings.Contains(result.Stderr, asRoot+"\n") || !strings.Contains(result.Stderr, lessontest.Program()+" run -network host true\n") {
			t.Errorf("%q does not say what to type instead:\n%s", line, result.Stderr)
		}
	}
	user.Type(t, "run", "-network", "none", "-p", "8080:80", "true").Says("-p 8080:80", "-network none").Exits(125)
	user.Type(t, "ps", "-aq").Prints("").Exits(0) // nothing was made
	user.Type(t, "run", "-without", "user", "true").Says("-without user", "sudo").Exits(125)
	user.Type(t, "run", "-cpus", "0.5", "true").Says("limit", "sudo").Exits(125)
	user.Type(t, "run", "true").Says("loopback").Exits(0)
}

// An ordinary user's volumes, read-only root and host network work.
func TestRootlessFeatures(t *testing.T) {
	nothingLeft(t)
	user := ordinaryUser(t)
	shared := sharedFolder(t)
	user.Type(t, "-quiet", "run", "-v", shared+":/shared", "-read-only", "-tmpfs", "/scratch", "-init", "sh", "-c",
		"echo x >/shared/new; echo y >/scratch/y; echo z 2>&- >/z || echo refused").Prints("refused\n").Exits(0)
	if text, _ := os.ReadFile(shared + "/new"); string(text) != "x\n" {
		t.Errorf("what the container wrote to a volume is %q", text)
	}
	interfaces := "grep -c : /proc/net/dev"
	here, _ := exec.Command("sh", "-c", interfaces).Output()
	user.Type(t, "-quiet", "run", "-network", "host", "sh", "-c", interfaces).Prints(string(here)).Exits(0)
}

// One user's containers are not another's.
func TestUsersDoNotMeet(t *testing.T) {
	asRoot(t)
	user := ordinaryUser(t)
	ours, theirs := detached(t, lesson, "-network", "none", "-name", "same", "sleep", "1000"), detached(t, user, "-name", "same", "sleep", "1000")
	for who, id := range map[*lessontest.Lesson][2]string{&lesson: {ours, theirs}, &user: {theirs, ours}} {
		list := who.Type(t, "ps", "-a").PrintsMatch(id[0])
		if strings.Contains(list.Stdout, id[1]) {
			t.Errorf("somebody sees another one's container:\n%s", list.Stdout)
		}
	}
}

// As root, -userns makes root of the container nobody on the host.
func TestUserNamespaceOfRoot(t *testing.T) {
	asRoot(t)
	secret := filepath.Join(t.TempDir(), "secret")
	os.WriteFile(secret, []byte("of root's\n"), 0o600)
	os.Chmod(filepath.Dir(secret), 0o755)
	os.Chmod(filepath.Dir(filepath.Dir(secret)), 0o755)
	before := lessontest.Mounts()
	running := lesson.Start(t, "-quiet", "run", "-userns", "-v", secret+":/secret", "sh", "-c", "id -u; cat /secret 2>&- || echo refused; touch /new && stat -c %u /new /bin; read x")
	for i, want := range []string{"0", "refused", "0", "0"} {
		if line := running.Line(); line != want {
			t.Errorf("line %d is %q, expected %q", i+1, line, want)
		}
	}
	lessontest.SameMounts(t, "during the run", before)
	var st unix.Stat_t
	if unix.Stat(fmt.Sprintf("/proc/%d", running.Child()), &st); st.Uid == 0 {
		t.Error("root of the container is root on the host")
	}
	running.Wait().Exits(1) // read found the end of stdin
	id := detached(t, lesson, "-userns", "sleep", "1000")
	lesson.Type(t, "-quiet", "exec", id, "sh", "-c", "id -u; hostname").Prints("0\ncontainer\n").Exits(0)
}

// hostUID is the user id of ordinaryUser.
func hostUID() int {
	if uid := os.Geteuid(); uid != 0 {
		return uid
	}
	return 65534
}
