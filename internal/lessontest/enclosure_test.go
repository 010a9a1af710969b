//go:build linux

package lessontest

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/enclosure"
)

// A harmRun runs a lesson's tests on the program in testdata/harm.
type harmRun struct {
	t     *testing.T
	tests func(args ...string) *exec.Cmd // of a lesson

	repository string
	temporary  string   // the folder for temporary files
	canaries   []string // files to be harmed
	token      string   // in the environment of all processes of the run
}

// sysctls that are the whole machine's, and those of namespaces.
var sysctls = []string{"/proc/sys/vm/swappiness", "/proc/sys/kernel/panic", "/proc/sys/fs/lease-break-time", "/proc/sys/net/ipv4/ip_forward"}

func newHarmRun(t *testing.T) *harmRun {
	NeedRoot(t)
	h := &harmRun{t: t, tests: lessonTests(t, "step02-uts"), repository: NeedSource(t), temporary: t.TempDir(),
		token: fmt.Sprintf("HARM_TOKEN=%d", time.Now().UnixNano())}
	for _, dir := range []string{t.TempDir(), "/var/tmp", "/run", "/dev/shm", "/root"} {
		canary, err := os.CreateTemp(dir, "gonsrun-canary-")
		if err != nil {
			continue
		}
		fmt.Fprintln(canary, "alive")
		canary.Close()
		t.Cleanup(func() { os.Remove(canary.Name()) })
		h.canaries = append(h.canaries, canary.Name())
	}
	return h
}

// command is the tests' command, with harm to be done.
func (h *harmRun) command(harm string, args ...string) *exec.Cmd {
	var host []string
	for _, namespace := range []string{"uts", "ipc", "net", "mnt", "pid", "cgroup"} {
		host = append(host, Namespace(h.t, namespace))
	}
	command := h.tests(append([]string{"-impl", "./internal/lessontest/testdata/harm"}, args...)...)
	command.Env = append(os.Environ(), h.token, "TMPDIR="+h.temporary, "HARM="+harm, "HARM_HOST="+strings.Join(host, " "), "HARM_REPOSITORY="+h.repository,
		"HARM_FILES="+strings.Join(h.canaries, " "), "HARM_SYSCTLS="+strings.Join(sysctls, " "))
	return command
}

// machine is what must be the same afterwards.
func (h *harmRun) machine() map[string]string {
	machine := map[string]string{"mounts": strings.Join(Mounts(), "\n")}
	for _, file := range append(sysctls, "/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname", "/proc/net/dev_mcast", "/etc/passwd", h.repository+"/go.mod") {
		machine[file] = strings.Join(lines(file), "\n")
	}
	for _, canary := range h.canaries {
		machine[canary] = strings.Join(lines(canary), "\n")
	}
	for _, dir := range []string{"/", "/etc", "/usr/bin", "/dev", h.repository, h.repository + "/step02-uts"} {
		entries, _ := filepath.Glob(dir + "/*")
		machine[dir] = strings.Join(entries, "\n")
	}
	return machine
}

// processes are those that the run has started.
func (h *harmRun) processes() (pids []string) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		environment, _ := os.ReadFile(dir + "/environ")
		if bytes.Contains(environment, []byte(h.token)) {
			pids = append(pids, filepath.Base(dir))
		}
	}
	return pids
}

// leavesNoTrace runs the tests, which must fail, and expects the machine to be as
// before. It returns what the tests said.
func (h *harmRun) leavesNoTrace(command *exec.Cmd, during func()) string {
	h.t.Helper()
	before := h.machine()
	neighbor := StartCommand(h.t, exec.Command("sleep", "1000"))
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	command.WaitDelay = Soon // who lives on may hold them
	if err := command.Start(); err != nil {
		h.t.Fatal(err)
	}
	groups := func() (found []string) {
		for _, tree := range cgroupTrees() {
			dirs, _ := filepath.Glob(filepath.Join(tree.dir, enclosure.GroupPrefix+itoa(command.Process.Pid)+"-*"))
			found = append(found, dirs...)
		}
		return found
	}
	limit := time.AfterFunc(2*time.Minute, func() { command.Process.Kill() })
	if during != nil {
		during()
	}
	command.Wait()
	if !limit.Stop() {
		h.t.Errorf("the tests do not end:\n%s", output.String())
	}
	if !Eventually(leftoverPatience, func() bool { return len(h.processes()) == 0 }) {
		h.t.Errorf("processes are left: %v", h.processes())
	}
	if statusOf(command.ProcessState) == -int(unix.SIGKILL) { // then the next ones remove what they left
		h.command("").Run()
	} else if command.ProcessState.ExitCode() != 1 && command.ProcessState.ExitCode() != 2 || strings.Contains(output.String(), "exit status 99") {
		h.t.Errorf("expected: the tests fail\nseen:     %v\n%s", command.ProcessState, output.String())
	}
	neighbor.Signal(unix.SIGTERM)
	neighbor.Wait().Exits(-15)
	if left := groups(); len(left) > 0 {
		h.t.Errorf("cgroups are left: %v", left)
	}
	if left, _ := filepath.Glob(h.temporary + "/*"); len(left) > 0 {
		h.t.Errorf("temporary files are left: %v", left)
	}
	after := h.machine()
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if before[name] != after[name] {
			h.t.Errorf("the machine is not as before: %s\n%s\nIt was:\n%s", name, after[name], before[name])
		}
	}
	return output.String()
}

// Whatever a learner's program does, the machine is as before.
func TestHarmStaysInside(t *testing.T) {
	h := newHarmRun(t)
	for _, harm := range []string{"rename", "write", "sysctl", "own proc", "device", "mount", "kill", "remove"} {
		t.Run(harm, func(t *testing.T) {
			h := *h
			h.t = t
			if harm == "own proc" && !hasV2() {
				t.Skip("without a cgroup v2 tree nothing keeps a program from writing sysctls in a /proc of its own")
			}
			output := h.leavesNoTrace(h.command(harm), nil)
			if !strings.Contains(output, "harm: ") {
				t.Errorf("no harm was done:\n%s", output)
			}
			if harm == "device" && (strings.Contains(output, "opened") || strings.Count(output, "closed") != 2) {
				t.Errorf("the program could open the host's disk, or its memory:\n%s", output)
			}
		})
	}
}

// Nothing that the enclosure mounts reaches the host, either, where mounts are
// shared as systemd has them.
func TestMountsStayInEnclosure(t *testing.T) {
	h := newHarmRun(t)
	command := h.command("mount")
	script := exec.Command(NeedTool(t, "unshare"), append([]string{"--mount", "--propagation", "shared", "/bin/sh", "-c",
		`cat /proc/self/mountinfo; echo ---; "$@" >/dev/null; echo "status $?"; echo ---; cat /proc/self/mountinfo`, "sh"}, command.Args...)...)
	script.Dir, script.Env = command.Dir, command.Env
	result := RunCommand(t, "", script).Exits(0)
	parts := strings.Split(result.Stdout, "---\n")
	if len(parts) != 3 || parts[1] != "status 1\n" || !strings.Contains(parts[0], " shared:") || parts[0] != parts[2] {
		result.fail("the same mounts before and after")
	}
}

// hasV2 reports whether an enclosure gets a v2 cgroup.
func hasV2() bool {
	return slices.ContainsFunc(cgroupTrees(), func(tree cgroupTree) bool { return tree.v1 == "" })
}

// A fork bomb gets no more than the enclosure's tasks, and ends with the tests.
func TestForkBombStaysInside(t *testing.T) {
	h := newHarmRun(t)
	output := h.leavesNoTrace(h.command("fork"), nil)
	if !strings.Contains(output, "Your program starts itself again and again") {
		t.Errorf("the program has not forked until it was ended:\n%s", output)
	}
}

// findHarm waits for the program that is checked.
func findHarm(t *testing.T, pid int) {
	t.Helper()
	findWhere(t, pid, func(p process) bool { return len(p.args) > 2 && p.args[1] == "run" && filepath.Base(p.args[0]) != "sh" }, []string{"run"})
}

// A program that sleeps, deaf for signals, ends with the check: when its patience is
// at an end, when Ctrl-C or SIGTERM ends it, and when it is killed.
func TestDeafProgramEndsWithTests(t *testing.T) {
	h := newHarmRun(t)
	h.leavesNoTrace(h.command("sleep"), nil)
	for _, sig := range []unix.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGQUIT, unix.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			h := *h
			h.t = t
			command := h.command("sleep")
			h.leavesNoTrace(command, func() {
				findHarm(t, command.Process.Pid)
				unix.Kill(command.Process.Pid, sig)
			})
		})
	}
}

// The limits hold where the program cannot change them.
func TestEnclosureHasLimits(t *testing.T) {
	h := newHarmRun(t)
	command := h.command("sleep")
	h.leavesNoTrace(command, func() {
		findHarm(t, command.Process.Pid)
		for _, limit := range []struct{ controller, v1, v2, value string }{
			{"pids", "pids.max", "pids.max", itoa(enclosure.Tasks)},
			{"memory", "memory.limit_in_bytes", "memory.max", strconv.FormatUint(enclosure.Memory()&^0xfff, 10)},
		} {
			for _, tree := range cgroupTrees() {
				file := limit.v1
				if tree.v1 == "" {
					file = limit.v2
				}
				if !slices.Contains(strings.Fields(tree.controllers), limit.controller) {
					continue
				}
				dirs, _ := filepath.Glob(filepath.Join(tree.dir, enclosure.GroupPrefix+itoa(command.Process.Pid)+"-*"))
				dir := strings.Join(dirs, " ")
				if value := strings.Join(lines(dir+"/"+file), " "); value != limit.value {
					t.Errorf("%s/%s is %q, expected %q", dir, file, value, limit.value)
				}
				seen := dir + "/" + enclosure.GroupInside
				if len(lines(seen+"/cgroup.procs"))+len(lines(seen+"/"+enclosure.GroupFirst+"/cgroup.procs")) == 0 {
					t.Errorf("in %s is no process, expected the program", seen)
				}
				if check := lines(dir + "/" + enclosure.GroupBeside + "/cgroup.procs"); len(check) != 1 {
					t.Errorf("beside it are the processes %v, expected the check alone", check)
				}
			}
		}
		unix.Kill(command.Process.Pid, unix.SIGTERM)
	})
}
