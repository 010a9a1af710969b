package narrate

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gonsrun/internal/trace"
)

// everyExample are the calls of all chapters, and those that depend on what is
// mounted on this machine.
func everyExample(t *testing.T) []example {
	all := slices.Concat(limitExamples, namespaceExamples, deviceExamples, rootExamples, networkExamples, privilegeExamples, otherExamples)
	v1 := false
	for _, tree := range trees() {
		if tree.v1 && !v1 {
			v1 = true
			all = append(all, example{aboutPath("mkdirat", tree.dir+"/g"), "In cgroup v1 each controller has a tree of its own, and the group"},
				example{write(tree.dir+"/g/tasks", "0"), "This process (0) moves into the group in this"},
				example{write(tree.dir+"/g/tasks", "17"), "Process 17 moves into the group in this"})
		}
	}
	if !v1 {
		t.Log("no tree of cgroup v1 is mounted here")
	}
	return all
}

// Of each call that is made up the sentence is the one that is expected, and each
// sentence of the catalogue is reached by one of them.
func TestEverySentence(t *testing.T) {
	reached := map[*rule]bool{}
	for _, x := range everyExample(t) {
		if x.call == nil {
			continue // arm64 has only the newer form
		}
		if got := lookUp(x.call, false, false); !strings.HasPrefix(got.why, x.want) {
			t.Errorf("%s %s %#x: %q, expected %q", x.call.Text(), x.call.Path, x.call.Values, got.why, x.want)
		}
		if r, ok := findRule(x.call); ok {
			reached[r.rule] = true
		}
	}
	for _, chapter := range catalogue() {
		for i := range chapter.rules {
			r := &chapter.rules[i]
			if !reached[r] && !r.needsV1() && r.why != intoCgroup {
				t.Errorf("no test reaches %s: %q", r.calls, r.why)
			}
		}
	}
}

// needsV1 reports whether a rule is only for machines that have a tree of cgroup v1.
func (r *rule) needsV1() bool {
	return r.why == eachTree || strings.Contains(r.why, "in this controller's tree")
}

// A clone3 into a cgroup: what is asked for lies in memory.
func TestIntoCgroup(t *testing.T) {
	c := call("clone3")
	for _, r := range rules()["clone3"] {
		if r.why == intoCgroup && r.when(c) {
			t.Errorf("a clone3 without flags: %q", r.why)
		}
	}
}

// Every call that may be told has a sentence and a page, whatever its arguments are.
func TestEveryCallHasItsSentence(t *testing.T) {
	for name := range tellable() {
		last := len(rules()[name]) - 1
		if last < 0 {
			t.Errorf("nothing is said of %s", name)
			continue
		}
		switch r := rules()[name][last]; name {
		case "write", "pwrite64", "sendto", "sendmsg": // isTold knows their files and messages
		default:
			if r.when != nil {
				t.Errorf("of %s nothing is said when no rule holds; the last is %q", name, r.why)
			}
		}
		if call(name) == nil && slices.Contains([]string{"fork", "vfork", "mkdir", "rmdir", "mknod", "symlink"}, name) {
			continue // arm64
		}
		if call(name) == nil {
			t.Errorf("the tracer does not know %s", name)
		}
	}
	for name := range rules() {
		if _, ok := tellable()[name]; !ok {
			t.Errorf("%s is in the catalogue, and never told", name)
		}
	}
}

// Sentences are whole and short: a reader meets forty of them in a run.
func TestSentencesAreShort(t *testing.T) {
	const words, most = 20, 2 * 64
	check := func(text string) {
		if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "?") || strings.TrimSpace(text) != text || strings.Contains(text, "%!") {
			t.Errorf("no whole sentence: %q", text)
		}
		if n := columns(text); n > most {
			t.Errorf("%d columns: %q", n, text)
		}
		for _, sentence := range strings.Split(text, ". ") {
			if n := len(strings.Fields(sentence)); n > words {
				t.Errorf("%d words: %q", n, sentence)
			}
		}
	}
	for _, x := range everyExample(t) {
		if x.call == nil {
			continue
		}
		e := lookUp(x.call, false, false)
		check(e.why)
		if strings.HasSuffix(e.fold, ".") {
			check(e.fold)
		}
	}
	for _, text := range []string{startsAgain, startsItself, intoCgroup,
		lookUp(call("clone", unix.CLONE_NEWUTS|unix.CLONE_NEWPID|unix.CLONE_NEWNS|unix.CLONE_NEWIPC|unix.CLONE_NEWNET|unix.CLONE_NEWCGROUP|unix.CLONE_NEWUSER), false, false).why} {
		check(text)
	}
	for number := range allows {
		check(lookUp(call("prctl", unix.PR_CAPBSET_DROP, uint64(number)), false, false).why)
	}
}

// Each capability that the tracer can name has its words, and no other has.
func TestCapabilities(t *testing.T) {
	count := 0
	for n := range 64 {
		if name := trace.CapabilityName(n); strings.HasPrefix(name, "CAP_") {
			count++
			if n >= len(allows) || allows[n] == "" {
				t.Errorf("what %s allows is not said", name)
			}
		}
	}
	if want := unix.CAP_LAST_CAP + 1; count != want || len(allows) != want {
		t.Errorf("%d capabilities have names, %d have words, and there are %d", count, len(allows), want)
	}
}

// checkedPages are the pages that were looked at: they exist, in Debian 12 or in the
// newest manual, and describe what the catalogue says.
var checkedPages = strings.Fields(`
	bpf(2) chdir(2) chroot(2) clone(2) close_range(2) execve(2) execveat(2) fork(2) fsconfig(2) fsmount(2) fsopen(2) fspick(2)
	ioctl_tty(2) keyctl(2) mkdir(2) mknod(2) mount(2) mount_setattr(2) move_mount(2) open_tree(2) pivot_root(2) prctl(2) rmdir(2)
	seccomp(2) setdomainname(2) setfsgid(2) setfsuid(2) setgid(2) setgroups(2) sethostname(2) setns(2) setresuid(2) setreuid(2)
	setsid(2) setuid(2) statmount(2) symlink(2) umount(2) unshare(2) vfork(2) wait4(2) waitid(2)
	fuse(4) pts(4) veth(4) proc(5) sysfs(5) tmpfs(5)
	capabilities(7) cgroup_namespaces(7) cgroups(7) cpuset(7) icmp(7) ip(7) ipc_namespaces(7) mount_namespaces(7) mq_overview(7)
	namespaces(7) network_namespaces(7) pid_namespaces(7) rtnetlink(7) shm_overview(7) time_namespaces(7) user_namespaces(7) uts_namespaces(7)
	bwrap(1) crun(1) fuse-overlayfs(1) fusermount3(1) newgidmap(1) newuidmap(1) nsenter(1) pasta(1) slirp4netns(1) unshare(1)
	conmon(8) ip(8) iptables(8) modprobe(8) mount(8) nft(8) runc(8) tc(8) umount(8)`)

// Where the manual is installed, GONSRUN_MAN=1 looks for the pages in it: Debian 12
// lacks those of the newest mount calls and of pasta.
func TestManualPages(t *testing.T) {
	named := map[string]bool{}
	for _, x := range everyExample(t) {
		if x.call != nil {
			named[lookUp(x.call, false, false).man] = true
		}
	}
	for _, again := range []string{"execve", "execveat"} {
		named[lookUp(call(again), true, true).man] = true
	}
	if page := lookUp(mount("proc", "/proc", "", 0), false, true).man; page != "mount(2)" {
		t.Errorf("in a lesson, the page of a mount is %s", page)
	}
	for page := range named {
		if !slices.Contains(checkedPages, page) {
			t.Errorf("nobody has looked at %s", page)
		}
		topic, section, _ := strings.Cut(strings.TrimSuffix(page, ")"), "(")
		if os.Getenv("GONSRUN_MAN") != "" {
			if out, err := exec.Command("man", "-w", section, topic).CombinedOutput(); err != nil {
				t.Errorf("man %s %s: %s", section, topic, out)
			}
		}
	}
	for _, page := range checkedPages {
		if !named[page] {
			t.Errorf("%s was looked at, and nothing leads to it", page)
		}
	}
}

// What is told in a row has a chapter of its own or none, and the names in it.
func TestRows(t *testing.T) {
	for _, test := range []struct {
		call          *trace.Call
		chapter, item string
	}{
		{call("prctl", unix.PR_CAPBSET_DROP, unix.CAP_SYS_BOOT), "privileges", "SYS_BOOT"},
		{bind("/dev/null", "/r/dev/zero", 0), "devices", "zero"},
		{bind("/dev/null", "/proc/kcore", 0), "root", "kcore"},
		{mount("tmpfs", "/sys/firmware", "", unix.MS_RDONLY), "root", "firmware"},
		{bind("/proc/bus", "/proc/bus", 0), "root", "/proc/bus"},
		{bind("none", "/proc/bus", unix.MS_REMOUNT|unix.MS_RDONLY), "root", "/proc/bus"},
		{write("/proc/7/uid_map", "0 1000 1\n"), "namespaces", "uid_map 0 1000 1"},
		{write(v2+"devices.allow", "c 1:3 rwm"), "limits", "allow c 1:3 rwm"},
		{call("setresuid", 7, 7, 7), "privileges", "user 7"},
		{call("setgroups", 0), "privileges", "no further groups"},
		{call("setns", 3, unix.CLONE_NEWNET), "namespaces", "network"},
		{linked("symlinkat", "/proc/self/fd", "/r/dev/fd"), "devices", "fd"},
		{netlink(trace.Message{Type: unix.RTM_NEWADDR, Text: "10.0.0.2/24 to eth0"}), "network", "10.0.0.2/24 to eth0"},
		{run("/usr/sbin/iptables", "-S"), "network", "iptables -S"},
	} {
		if e := lookUp(test.call, false, false); e.fold == "" || e.chapter != test.chapter || e.item != test.item {
			t.Errorf("%s: %+v, expected a row in %s about %s", test.call.Name(), e, test.chapter, test.item)
		}
	}
	if hides, binds := lookUp(mount("tmpfs", "/sys/firmware", "", unix.MS_RDONLY), false, false), lookUp(bind("/dev/null", "/proc/kcore", 0), false, false); hides.fold != binds.fold {
		t.Error("masked files and folders are not one row")
	}
}

// What a program says of itself reaches no terminal as it is.
func TestSentencesAreSafe(t *testing.T) {
	nasty := "\x1b[2J\n" + strings.Repeat("x", 4000)
	for _, c := range []*trace.Call{
		write(v2+"pids.max", nasty), write(v2+"cpu.max", nasty+" "+nasty), write("/proc/sys/"+nasty, ""), linked("symlinkat", nasty, "/dev/"+nasty),
		fsopen(nasty), fsconfig(1, nasty, nasty), run("/sbin/iptables", nasty), netlink(trace.Message{Type: unix.RTM_NEWLINK, Name: nasty, Text: nasty, Up: true}),
	} {
		e := lookUp(c, false, false)
		for _, text := range []string{e.why, e.item} {
			if strings.ContainsAny(text, "\x1b\n") || len(text) > 300 {
				t.Errorf("%s: %q", c.Name(), text)
			}
		}
	}
}

// Whatever a call's arguments are, looking it up neither fails nor finds nothing.
func FuzzLookUp(f *testing.F) {
	for number := range uint64(1024) {
		if trace.Name(number) != "" {
			for i := range uint64(6) {
				f.Add(number, i, i, i, i, "/proc/7/uid_map", "/dev/null", "tmpfs", "0 0 1", "nft", uint16(i+16), uint16(0), int(i))
				f.Add(number, i<<4, i<<12, i<<16, i<<28, "/sys/fs/cgroup/g/cpu.max", ".", "", "", "", uint16(i+16), uint16(unix.NLM_F_CREATE), int(i))
			}
		}
	}
	f.Fuzz(func(t *testing.T, number, a, b, c, d uint64, path, source, kind, data, argument string, message, flags uint16, pid int) {
		call := trace.NewCall(number, a, b, c, d)
		call.Path, call.Source, call.Kind, call.Value, call.Data = path, source, kind, data, []byte(data)
		call.Arguments, call.List = []string{argument}, []string{argument, data}
		call.Messages = []trace.Message{{Type: message, Flags: flags, Kind: kind, Name: source, PID: pid, Up: pid&1 != 0}}
		e := lookUp(call, false, false)
		for _, lesson := range []bool{false, true} {
			if !mayBeTold(call, lesson) {
				continue
			}
			switch call.Name() { // what isTold accepts of these
			case "write", "pwrite64":
				if !changesNetwork(call) && !inCgroupTree(call) && !(strings.HasPrefix(path, "/proc/") && isSetting(call)) {
					continue
				}
			case "sendto", "sendmsg":
				if !changesNetwork(call) {
					continue
				}
			}
			if e.why == "" || e.man == "" {
				t.Errorf("%s of %q is told: %+v", call.Text(), path, e)
			}
		}
	})
}
