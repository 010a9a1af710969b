package check

import (
	"regexp"
	"testing"
	"time"
)

// A container as lesson 5 builds it, as it would have been seen: the program is
// process 10, the command process 20.
func seen() *run {
	clone := &call{pid: 10, thread: 10, name: "clone", text: "clone(…)", flags: newUTS | newPID | newNS, child: 20, answered: true}
	r := &run{
		patience: 3 * time.Second,
		typed:    []string{"run", "/bin/sh", "-c", "script"},
		first:    10, command: 20, status: 7, stdout: "ready\ngot go on\n", stderr: "oops\n",
		hostname: [2]string{"host", "host"},
		mounts:   [3]string{"1 0 8:1 / / rw shared:1 - ext4 x rw", "1 0 8:1 / / rw shared:1 - ext4 x rw", "1 0 8:1 / / rw shared:1 - ext4 x rw"},
		processes: map[int]*process{
			10: {pid: 10, ended: true, status: 7},
			20: {pid: 20, parent: 10, made: clone, own: []string{"uts", "pid", "mnt"}, number: 1, ended: true, status: 7, became: []string{"/bin/sh", "-c", "script"}},
		},
		calls: []*call{
			clone,
			inside20("sethostname", call{data: "container"}),
			inside20("mount", call{path: "/", flags: msRec | msPrivate, source: "none"}),
			inside20("chroot", call{path: "/srv/root"}),
			inside20("chdir", call{path: "/"}),
			inside20("mount", call{path: "/proc", source: "proc", kind: "proc"}),
			inside20("execve", call{path: "/bin/sh", list: []string{"/bin/sh", "-c", "script"}}),
		},
		look: &look{pid: 20, numbers: []int{20, 1}, own: map[string]bool{"uts": true, "pid": true, "mnt": true},
			hostname: "container", noPath: false, root: "/srv/root", cwd: "/srv/root", procKind: "proc", number1: 20},
	}
	r.looked = len(r.calls)
	return r
}

// inside20 is a call of the container's side that worked.
func inside20(name string, c call) *call {
	c.pid, c.thread, c.name, c.text, c.answered = 20, 20, name, name+"(…)", true
	return &c
}

// without takes away the calls of a name.
func (r *run) without(name string) {
	r.calls = where(r.calls, func(c *call) bool { return c.name != name })
}

func first(verdicts []Verdict) string { return Report{Promises: verdicts}.First() }

func TestJudgeFindsNothingWrong(t *testing.T) {
	for lesson := 1; lesson <= 5; lesson++ {
		if cause := first(judge(seen(), lesson)); cause != "" {
			t.Errorf("lesson %d: a right run is accused: %s", lesson, cause)
		}
	}
}

// What is changed in a right run, and what must be said of it.
func TestJudgeNamesTheCause(t *testing.T) {
	for name, c := range map[string]struct {
		lesson int
		change func(*run)
		says   string
	}{
		"no sethostname": {2, func(r *run) { r.without("sethostname"); r.look.hostname = "host" },
			"^No process of your container ever called sethostname"},
		"no flag, and the host is renamed": {2, func(r *run) {
			r.calls[0].flags, r.look.own["uts"], r.hostname[1] = newPID, false, "container"
		}, "CLONE_NEWUTS: so sethostname has renamed the host"},
		"the host's side calls sethostname": {2, func(r *run) { r.hostname[1] = "container" }, "on the host's side: it has renamed the host"},
		"number 2": {3, func(r *run) {
			r.processes[30] = &process{pid: 30, parent: 20, became: []string{"/bin/sh", "-c", "script"}}
			r.command, r.look.pid, r.look.numbers, r.look.number1 = 30, 30, []int{30, 2}, 20
		}, "number 2: number 1 is your own program. It must become the command"},
		"unshare without a fork": {3, func(r *run) {
			r.calls[0].flags = newUTS
			r.look.own["pid"], r.look.numbers = false, []int{20}
			r.calls = append(r.calls[:1:1], append([]*call{inside20("unshare", call{flags: newPID})}, r.calls[1:]...)...)
		}, "moves only processes that are made later"},
		"clone is refused": {2, func(r *run) {
			r.command, r.look = 0, nil
			r.calls = []*call{{pid: 10, name: "clone", text: "clone(CLONE_NEWUTS)", flags: newUTS, errno: "EPERM", answered: true}}
			delete(r.processes, 20)
		}, "was answered with EPERM: .*root's rights"},
		"no chroot":           {4, func(r *run) { r.without("chroot"); r.look.rootIsHosts = true }, "called chroot or pivot_root"},
		"no chdir":            {4, func(r *run) { r.without("chdir"); r.look.cwdIsOutside = true }, `after chroot comes chdir\("/"\)`},
		"no proc":             {5, func(r *run) { r.calls = append(r.calls[:5:5], r.calls[6]); r.look.procKind = "nothing" }, "mounted a proc file system"},
		"mounts are shared":   {5, func(r *run) { r.calls = append(r.calls[:2:2], r.calls[3:]...); r.look.rootShared = true }, "mount at / is still shared"},
		"private without rec": {5, func(r *run) { r.calls[2].flags = msPrivate; r.look.rootShared = true }, "has no MS_REC"},
		"proc before the root": {5, func(r *run) {
			r.calls[3], r.calls[5] = r.calls[5], r.calls[3]
			r.look.procKind = "nothing"
		}, "mounted /proc before the root was changed"},
		"it hangs": {2, func(r *run) {
			r.command, r.look, r.hung = 0, nil, true
			r.without("execve")
			r.processes[20].ended, r.processes[20].doing = false, "it sleeps (nanosleep)"
		}, "within 3 seconds.*process that your program made: it sleeps"},
		"it does not wait": {1, func(r *run) { r.early = true }, "ended before its command"},
		"it starts itself": {1, func(r *run) { r.command, r.look, r.tooMany = 0, nil, true }, "again and again"},
		"lost arguments":   {1, func(r *run) { r.processes[20].became = []string{"-c", "script"} }, "argv"},
	} {
		r := seen()
		c.change(r)
		cause := first(judge(r, c.lesson))
		if !regexp.MustCompile("(?s)" + c.says).MatchString(cause) {
			t.Errorf("%s: the sentence is %q, expected: %s", name, cause, c.says)
		}
	}
}

// Lesson 6 looks at groups and their limits.
func TestJudgeLimits(t *testing.T) {
	group := func() *run {
		r := seen()
		dir := "/sys/fs/cgroup/box"
		made := func(name, path, data string) *call {
			return &call{pid: 10, thread: 10, name: name, text: name + "(" + path + ")", path: path, data: data, answered: true}
		}
		r.calls = append([]*call{made("mkdirat", dir, ""), made("write", dir+"/pids.max", "20"), made("write", dir+"/cgroup.procs", "20")}, r.calls...)
		r.calls = append(r.calls, made("unlinkat", dir, ""))
		r.looked = len(r.calls) - 1
		r.look.limits = []limit{{controller: "pids", tree: "/sys/fs/cgroup", v2: true, group: dir, file: "pids.max", value: "20", right: true, expected: "20"}}
		return r
	}
	if cause := first(judge(group(), 6)); cause != "" {
		t.Errorf("a right run is accused: %s", cause)
	}
	for says, change := range map[string]func(*run){
		"No process made a cgroup": func(r *run) { r.without("mkdirat"); r.look.limits[0].isHosts = true },
		"no process is in it":      func(r *run) { r.calls = append(r.calls[:2:2], r.calls[3:]...); r.look.limits[0].isHosts = true },
		"the host's side of your program itself": func(r *run) {
			r.calls[2].data = "10"
			r.look.limits[0].isHosts = true
		},
		`pids.max is "200", expected "20"`: func(r *run) { r.look.limits[0].value, r.look.limits[0].right = "200", false },
		`cpu.cfs_quota_us is "-1", expected "50000": half of cpu.cfs_period_us, which is "100000"`: func(r *run) {
			r.look.limits = []limit{{controller: "cpu", tree: "/sys/fs/cgroup/cpu", group: "/sys/fs/cgroup/cpu/box", file: "cpu.cfs_quota_us", value: "-1 100000", expected: "50000 100000"}}
			r.calls = append(r.calls, &call{pid: 10, name: "write", path: "/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", data: "-1", answered: true})
			r.looked = len(r.calls)
		},
		"too late":                               func(r *run) { r.looked, r.look.limits[0].right = 1, false },
		"Nothing was written to .*/box/pids.max": func(r *run) { r.calls = append(r.calls[:1:1], r.calls[2:]...); r.look.limits[0].right = false },
		"nobody asked to remove it":              func(r *run) { r.without("unlinkat"); r.left = []string{"/sys/fs/cgroup/box"} },
		"EBUSY": func(r *run) {
			r.calls[len(r.calls)-1].errno = "EBUSY"
			r.left = []string{"/sys/fs/cgroup/box"}
		},
	} {
		r := group()
		change(r)
		if cause := first(judge(r, 6)); !regexp.MustCompile(says).MatchString(cause) {
			t.Errorf("the sentence is %q, expected: %s", cause, says)
		}
	}
}

// A report fits on a screen, whatever a program prints.
func TestReportFits(t *testing.T) {
	r := seen()
	r.without("chroot")
	r.look.rootIsHosts = true
	for range 100 {
		r.stdout += "a line that is much longer than any terminal is wide, and has \x1b[2J in it, which clears the screen\n"
	}
	report := Report{Lesson: 4, Promises: judge(r, 4), Output: r.printed()}
	lines := report.Lines(80, "go run ./mine")
	if len(lines) > 25 {
		t.Errorf("the report has %d lines, expected 25 at most", len(lines))
	}
	for _, line := range lines {
		if n := len([]rune(line.Text)); n > 80 {
			t.Errorf("%d columns: %s", n, line.Text)
		}
		if regexp.MustCompile(`[[:cntrl:]]`).MatchString(line.Text) {
			t.Errorf("a terminal takes this for an order: %q", line.Text)
		}
	}
}

func TestPlace(t *testing.T) {
	for lesson, change := range map[int]func(*run){
		2: func(r *run) { r.look.own["uts"] = false },
		3: func(r *run) { r.look.own["pid"] = false },
		4: func(r *run) { r.look.rootIsHosts = true },
		5: func(r *run) { r.look.procKind = "nothing" },
	} {
		r := seen()
		change(r)
		if place := (Report{Lesson: 5, Promises: judge(r, 5)}).Place(); place != lesson {
			t.Errorf("the place is lesson %d, expected %d", place, lesson)
		}
	}
	if place := (Report{Lesson: 5, Promises: judge(seen(), 5)}).Place(); place != 6 {
		t.Errorf("after lesson 5 the place is lesson %d", place)
	}
}

// Of a program that runs no command, its calls say how far it is.
func TestSuggested(t *testing.T) {
	r := seen()
	if n := r.suggested(); n != 5 {
		t.Errorf("with all of lesson 5 the lesson is %d", n)
	}
	r.calls = nil
	if n := r.suggested(); n != 1 {
		t.Errorf("without a call the lesson is %d", n)
	}
}
