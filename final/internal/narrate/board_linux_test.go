package narrate

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

func find(t *testing.T, places []place, name string) place {
	t.Helper()
	for _, p := range places {
		if p.name == name {
			return p
		}
	}
	t.Fatalf("the board has no place %q: %v", name, places)
	return place{}
}

// A process compared with itself has nothing of its own.
func TestBoardOfMyself(t *testing.T) {
	places := board(look("self"), look("self"))
	if len(places) != 12 {
		t.Errorf("the board has %d places, expected 12: %v", len(places), places)
	}
	for _, p := range places {
		if p.state == own {
			t.Errorf("%s is shown as own", p.name)
		}
	}
	if p := find(t, places, "uts"); p.state != hosts || !strings.HasPrefix(p.fact, "[") {
		t.Errorf("uts is %v, expected the host's with its inode", p)
	}
}

// A process in new namespaces has those of its own, and no others.
func TestBoardOfAnother(t *testing.T) {
	sleep := exec.Command("sleep", "1000")
	sleep.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWUTS | unix.CLONE_NEWIPC, Pdeathsig: unix.SIGKILL}
	if err := sleep.Start(); err != nil {
		t.Skipf("new namespaces need root: %v", err)
	}
	defer sleep.Wait()
	defer sleep.Process.Kill()
	var ownOnes []string
	for _, p := range board(look("self"), look(strconv.Itoa(sleep.Process.Pid))) {
		if p.state == own {
			ownOnes = append(ownOnes, p.name)
		}
	}
	if want := []string{"uts", "ipc"}; !slices.Equal(ownOnes, want) {
		t.Errorf("shown as own are %v, expected %v", ownOnes, want)
	}
}

// A process that is gone has no place of its own.
func TestBoardOfNobody(t *testing.T) {
	for _, p := range board(look("self"), look("4194305")) { // above the largest pid that Linux gives
		if p.state == own && p.name != "root" {
			t.Errorf("%s of a process that is not there is shown as own", p.name)
		}
	}
}

func TestCell(t *testing.T) {
	for _, p := range []place{
		{name: "uts", state: own, fact: "[4026532201]"},
		{name: "seccomp", state: none, fact: ""},
		{name: "limits", state: own, fact: "20 pids, 64 MiB, 0.5 CPU"},
	} {
		for _, columns := range []int{minPlace, 40} {
			cell := p.cell(columns)
			if n := utf8.RuneCountInString(cell); n != columns {
				t.Errorf("the cell %q has %d columns, expected %d", cell, n, columns)
			}
			if strings.HasPrefix(cell, "■") != (p.state == own) {
				t.Errorf("the cell of %v is %q", p, cell)
			}
		}
	}
}

func TestManualPage(t *testing.T) {
	for call, want := range map[string]string{
		"":            "",
		"clone":       "clone(2)",
		"clone3":      "clone(2)",
		"sethostname": "sethostname(2)",
		"umount2":     "umount(2)",
		"mkdirat":     "mkdir(2)",
		"chdir":       "chdir(2)",
		"setresgid":   "setresuid(2)",
		"sendto":      "rtnetlink(7)",
	} {
		if page := manualPage(call); page != want {
			t.Errorf("the manual page of %q is %q, expected %q", call, page, want)
		}
	}
}

func TestStatus(t *testing.T) {
	defer func(before Config) { config = before }(config)
	config.Quiet = true
	for script, want := range map[string]int{"exit 7": 7, "exit 0": 0, "kill -9 $$": 128 + 9, "kill -TERM $$": 128 + 15, "kill -SEGV $$": 128 + 11} {
		command := exec.Command("/bin/sh", "-c", "ulimit -c 0; "+script)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_PID, command.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
			t.Fatal(err)
		}
		if status := Status(&info); status != want {
			t.Errorf("%s: the status is %d, expected %d", script, status, want)
		}
		command.Wait()
	}
}
