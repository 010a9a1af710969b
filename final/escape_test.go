//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/idmap"
	"gonsrun/internal/lessontest"
)

// Ways out of a container. Each fails here, and each is shown to be one: it
// succeeds in a lesson, or where a class has left something out with -without.
// What would harm this machine is only brought to the point from which it could.

// In a chroot root climbs out: below a second chroot the working directory is
// outside of the root. After pivot_root there is nothing to climb to.
func TestEscapeChroot(t *testing.T) {
	asRoot(t)
	secret := ofTheHost(t)
	escape(t, nil, "chroot", secret).Prints("ENOENT\n").Exits(1)
	escape(t, without("pivot"), "chroot", secret).Prints("secret\n").Exits(0)
	lessontest.RunCommand(t, "", insideStep04(t, "chroot", secret)).Prints("secret\n").Exits(0)
}

// A node of the host's disk can be made, wherever the container can write, but
// not opened: everything is mounted nodev.
func TestEscapeMknod(t *testing.T) {
	asRoot(t)
	disk := hostsDisk(t)
	volume := filesystem(t)
	flags := []string{"-v", volume + ":/volume", "-tmpfs", "/scratch"}
	for _, dir := range []string{"/", "/tmp", "/dev", "/dev/shm", "/scratch", "/volume"} {
		escape(t, flags, "mknod", disk, dir).Prints("EACCES\n").Exits(1)
	}
	lessontest.RunCommand(t, "", insideStep04(t, "mknod", disk, "/tmp")).Prints("open\n").Exits(0)
}

// The host's devices cannot be mounted: the container has no CAP_SYS_ADMIN.
func TestEscapeMount(t *testing.T) {
	asRoot(t)
	escape(t, nil, "mount", "devtmpfs", "", "null").Prints("EPERM\n").Exits(1)
	escape(t, without("seccomp"), "mount", "devtmpfs", "", "null").Prints("EPERM\n").Exits(1)
	escape(t, without("caps,seccomp"), "mount", "devtmpfs", "", "null").Prints("open\n").Exits(0)
}

// The machine is not commanded through /proc: sysrq-trigger reboots it, and
// core_pattern names a program that the kernel starts, on the host.
func TestEscapeProc(t *testing.T) {
	asRoot(t)
	for _, file := range []string{"/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern"} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if _, err := os.Stat(file); err != nil {
				t.Skipf("this kernel has no %s", file)
			}
			escape(t, nil, "open", file).Prints("EROFS\n").Exits(1)
			escape(t, without("mask"), "open", file).Prints("open\n").Exits(0)
		})
	}
}

// The release_agent of a v1 cgroup tree is a program that the kernel starts, on
// the host. The container's trees are read-only, the file is in the root of a
// tree, which it does not see, and it cannot mount one.
func TestEscapeReleaseAgent(t *testing.T) {
	asRoot(t)
	tree, options := treeOfV1(t)
	escape(t, nil, "open", filepath.Join(tree, "release_agent")).PrintsMatch("^(EROFS|ENOENT)\n$").Exits(1)
	escape(t, nil, "open", filepath.Join(tree, "cgroup.procs")).PrintsMatch("^(EROFS|ENOENT)\n$").Exits(1)
	escape(t, nil, "mount", "cgroup", options, "release_agent").Prints("EPERM\n").Exits(1)
	escape(t, without("caps,seccomp"), "mount", "cgroup", options, "release_agent").Prints("ENOENT\n").Exits(1)
	escape(t, without("caps,seccomp,cgroupns"), "mount", "cgroup", options, "release_agent").Prints("open\n").Exits(0)
}

// A process of the host is not there to be traced. Where it is seen, it has
// capabilities that the container lacks, and so it still is not.
func TestEscapePtrace(t *testing.T) {
	asRoot(t)
	victim := lessontest.StartCommand(t, exec.Command("sleep", "1000"))
	pid := fmt.Sprint(victim.Pid())
	escape(t, nil, "ptrace", pid).PrintsMatch("^(ESRCH|EPERM)\n$").Exits(1)
	escape(t, without("pid"), "ptrace", pid).Prints("EPERM\n").Exits(1)
	escape(t, without("pid,caps,seccomp"), "ptrace", pid).Prints("traced\n").Exits(0)
	victim.Signal(unix.SIGTERM)
	victim.Wait().Exits(-int(unix.SIGTERM))
}

// No module gets into the kernel. Where it may, the kernel looks at what it is
// given, which here is no module.
func TestEscapeModule(t *testing.T) {
	asRoot(t)
	for _, call := range []string{"init_module", "finit_module"} {
		onHost := lessontest.RunCommand(t, "", exec.Command(helper(t, "escape"), "module", call)).Exits(1)
		if onHost.Stdout == "EPERM\n" {
			t.Skipf("%s: this machine loads no module, not even for its own root", call)
		}
		escape(t, nil, "module", call).Prints("EPERM\n").Exits(1)
		if onHost.Stdout != "ENOSYS\n" { // a kernel without modules
			escape(t, without("seccomp"), "module", call).Prints("EPERM\n").Exits(1)
		}
		escape(t, without("caps,seccomp"), "module", call).Prints(onHost.Stdout).Exits(1)
	}
}

// Keys have no namespace: the keyrings are those of the whole machine.
func TestEscapeKeyctl(t *testing.T) {
	asRoot(t)
	escape(t, nil, "keyctl").Prints("EPERM\n").Exits(1)
	open := escape(t, without("seccomp"), "keyctl")
	if open.Stdout == "ENOSYS\n" {
		t.Skip("this kernel has no keys")
	}
	open.Prints("keyring\n").Exits(0)
}

// In a user namespace of its own, anybody has every capability again.
func TestEscapeUserNamespace(t *testing.T) {
	asRoot(t)
	escape(t, nil, "userns", "unshare").Prints("EPERM\n").Exits(1)
	escape(t, nil, "userns", "clone").Prints("EPERM\n").Exits(1)
	if reason := idmap.Restricted(); reason != "" {
		t.Skip(reason)
	}
	escape(t, without("seccomp"), "userns", "unshare").Prints("EINVAL\n").Exits(1) // threads may not
	escape(t, without("seccomp"), "userns", "clone").PrintsMatch("^CapEff:\t[0-9a-f]*fffff\n$").Exits(0)
}

// A folder of the host that whoever started the container had open is a way
// out, for as long as it stays open. It does not.
func TestEscapeDescriptor(t *testing.T) {
	asRoot(t)
	secret := ofTheHost(t)
	dir, err := os.Open(filepath.Dir(secret))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	open := func(command *exec.Cmd) *lessontest.Result {
		for range 100 { // also above the numbers that final uses itself
			command.ExtraFiles = append(command.ExtraFiles, dir)
		}
		return lessontest.RunCommand(t, "", command)
	}
	name := filepath.Base(secret)
	open(insideFinal(t, nil, "descriptor", name)).Prints("EBADF\n").Exits(1)
	open(insideFinal(t, []string{"-init"}, "descriptor", name)).Prints("EBADF\n").Exits(1)
	open(insideStep04(t, "descriptor", name)).Prints("secret\n").Exits(0)
}

// The runtime runs in the container until it becomes the command. When that is
// the runtime once more, as /proc/self/exe, its file can be opened there, and
// overwritten on the host (CVE-2019-5736). In there it is on a read-only mount;
// without that, only that it is running keeps it from being overwritten.
func TestEscapeExe(t *testing.T) {
	asRoot(t)
	victim := copyOfProgram(t)
	run := func(args ...string) *lessontest.Result {
		flags := []string{"-quiet", "run", "-network", "none", "-v", helper(t, "escape") + ":/escape"}
		return lessontest.RunCommand(t, "", exec.Command(victim, append(flags, args...)...))
	}
	run("-init", "/escape", "exe", "1").Prints("EROFS\n").Exits(1)
	run("/proc/self/exe", "init", "/escape", "escape", "exe", "1").Prints("EROFS\n").Exits(1)
	expectProgram(t, victim)

	unprotected := exec.Command(victim, "init", helper(t, "escape"), "escape", "exe", "0")
	lessontest.RunCommand(t, "", unprotected).PrintsMatch("^(ETXTBSY|overwritten)\n$") // Linux 6.11 and 6.12 do not mind
}

// The same by exec: the container's program is a script that makes the runtime
// its interpreter, and somebody in the container lies in wait.
func TestEscapeExeScript(t *testing.T) {
	asRoot(t)
	victim := copyOfProgram(t)
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/proc/self/exe\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	id := detached(t, lesson, "-network", "none", "-v", helper(t, "escape")+":/escape", "-v", script+":/script", "/escape", "watch")
	expectLog(t, lesson, id, "watching\n")
	if !lessontest.Eventually(lessontest.Patience, func() bool {
		lessontest.RunCommand(t, "", exec.Command(victim, "-quiet", "exec", id, "/script"))
		return lesson.Type(t, "logs", id).Stdout != "watching\n"
	}) {
		t.Error("/proc/self/exe as a script's interpreter was never seen to run in the container")
	}
	expectLog(t, lesson, id, "watching\nEROFS\n")
	expectProgram(t, victim)
}

// escape runs the program escape in a container of final's, with more flags.
func escape(t *testing.T, flags []string, args ...string) *lessontest.Result {
	t.Helper()
	return lessontest.RunCommand(t, "", insideFinal(t, flags, args...))
}

func insideFinal(t *testing.T, flags []string, args ...string) *exec.Cmd {
	t.Helper()
	line := []string{"-quiet", "run", "-network", "none", "-v", helper(t, "escape") + ":/escape"}
	line = append(append(line, flags...), "/escape")
	return exec.Command(lessontest.Program(), append(line, args...)...)
}

// insideStep04 runs the program escape in a container of lesson 4, which has a
// root file system with nothing else in it.
func insideStep04(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	root := filesystem(t)
	if err := os.Mkdir(root+"/tmp", 0o777); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(helper(t, "escape"))
	if err == nil {
		err = os.WriteFile(root+"/escape", program, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	line := []string{"-quiet", "-rootfs", root, "run", "/escape"}
	return exec.Command(helper(t, "step04-chroot"), append(line, args...)...)
}

func without(primitives string) []string { return []string{"-without", primitives} }

// helper returns one more program of this repository, built beside the one
// under test.
func helper(t *testing.T, name string) string {
	t.Helper()
	program := filepath.Join(filepath.Dir(lessontest.Program()), name)
	if _, err := os.Stat(program); err == nil {
		return program
	}
	source := filepath.Join(lessontest.NeedSource(t), name)
	if name == "escape" {
		source = filepath.Join(lessontest.NeedSource(t), "final/internal/escape")
	}
	if err := lessontest.Build(source, program); err != nil {
		t.Fatal(err)
	}
	return program
}

// ofTheHost returns a file that no container has anything to do with.
func ofTheHost(t *testing.T) string {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "of-the-host")
	if err := os.WriteFile(secret, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return secret
}

// filesystem returns a folder of the host on which devices work, which is not
// said of the one for temporary files.
func filesystem(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
		t.Fatalf("mount a tmpfs on %s: %v", dir, err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// hostsDisk returns the device number of a disk that root can open here, or
// at least of a loop device.
func hostsDisk(t *testing.T) string {
	t.Helper()
	dir := filesystem(t)
	devices, _ := filepath.Glob("/sys/class/block/*/dev") // loop0 comes before sda and vda
	for _, device := range slices.Backward(devices) {
		var major, minor uint32
		text, _ := os.ReadFile(device)
		if n, _ := fmt.Sscanf(string(text), "%d:%d", &major, &minor); n != 2 {
			continue
		}
		disk := fmt.Sprint(unix.Mkdev(major, minor))
		open := exec.Command(helper(t, "escape"), "mknod", disk, dir)
		if lessontest.RunCommand(t, "", open).Status == 0 {
			return disk
		}
	}
	t.Skip("this machine has no disk that its root can open")
	return ""
}

// treeOfV1 returns where a cgroup v1 tree is mounted that containers have a
// group in and that has a release_agent, and the options to mount it once more.
func treeOfV1(t *testing.T) (dir, options string) {
	t.Helper()
	for _, line := range lessontest.Mounts() {
		mount, super, _ := strings.Cut(line, " - cgroup ")
		fields := strings.Fields(super)
		if len(fields) < 2 {
			continue
		}
		dir := strings.Fields(mount)[4]
		if _, err := os.Stat(dir + "/release_agent"); err == nil && filepath.Base(dir) == "pids" {
			return dir, "pids"
		}
	}
	t.Skip("cgroup v1's controller pids is not mounted here, or not with its root: there is no release_agent")
	return "", ""
}

// copyOfProgram returns a copy of the program under test, as a victim.
func copyOfProgram(t *testing.T) string {
	t.Helper()
	victim := filepath.Join(t.TempDir(), "final")
	program, err := os.ReadFile(lessontest.Program())
	if err == nil {
		err = os.WriteFile(victim, program, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return victim
}

// expectProgram expects a victim to be the program under test still.
func expectProgram(t *testing.T, victim string) {
	t.Helper()
	now, err := os.ReadFile(victim)
	if program, _ := os.ReadFile(lessontest.Program()); err != nil || !bytes.Equal(now, program) {
		t.Errorf("the program was overwritten: it has %d bytes now, and had %d", len(now), len(program))
	}
}
