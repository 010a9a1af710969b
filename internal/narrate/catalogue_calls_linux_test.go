package narrate

import (
	"golang.org/x/sys/unix"

	"gonsrun/internal/trace"
)

// example is a call that is made up, and how the sentence begins that is said of it.
type example struct {
	call *trace.Call
	want string
}

// call is a system call by its name, as if it had been read; nil on a processor
// that lacks it.
func call(name string, values ...uint64) *trace.Call {
	for number := range uint64(1024) {
		if trace.Name(number) == name {
			return trace.NewCall(number, values...)
		}
	}
	return nil
}

// aboutPath is a call about a path.
func aboutPath(name, path string, values ...uint64) *trace.Call {
	c := call(name, values...)
	if c != nil {
		c.Path = path
	}
	return c
}

func write(path, data string) *trace.Call {
	c := aboutPath("write", path)
	c.Data = []byte(data)
	return c
}

func bind(source, target string, more uint64) *trace.Call {
	c := aboutPath("mount", target, 0, 0, 0, unix.MS_BIND|more)
	c.Source = source
	return c
}

func mount(kind, target, data string, flags uint64) *trace.Call {
	c := aboutPath("mount", target, 0, 0, 0, flags)
	c.Source, c.Kind, c.Value = kind, kind, data
	return c
}

func fsconfig(command uint64, key, value string) *trace.Call {
	c := call("fsconfig", 3, command)
	c.Kind, c.Value = key, value
	return c
}

func printed(c *trace.Call, arguments ...string) *trace.Call {
	c.Arguments = arguments
	return c
}

func netlink(m trace.Message) *trace.Call {
	c := call("sendto")
	c.Messages = []trace.Message{m}
	return c
}

func run(path string, arguments ...string) *trace.Call {
	c := aboutPath("execve", path)
	c.List = append([]string{path}, arguments...)
	return c
}

func linked(name, source, path string) *trace.Call {
	c := aboutPath(name, path)
	c.Source = source
	return c
}

func capset(effective, permitted uint64) *trace.Call {
	c := call("capset")
	c.Caps = &trace.Capabilities{Effective: effective, Permitted: permitted}
	return c
}

func filter(name string, length int, values ...uint64) *trace.Call {
	c := call(name, values...)
	c.Length = length
	return c
}

const (
	v2    = "/sys/fs/cgroup/g/"
	stays = 0xffffffff // an id that stays
)

var (
	limitExamples = []example{
		{aboutPath("mkdirat", "/nosuch/cgroup/g"), "A new folder in a cgroup tree"},
		{aboutPath("mkdir", "/nosuch/cgroup/g"), "A new folder in a cgroup tree"},
		{aboutPath("rmdir", v2), "A cgroup without processes"},
		{aboutPath("unlinkat", v2), "A cgroup without processes"},
		{call("unshare", unix.CLONE_NEWCGROUP), "This process sees its own cgroup"},
		{write("/nosuch/cgroup/g/cgroup.procs", "0"), "This process (0) moves into the cgroup"},
		{write(v2+"cgroup.procs", "17\n"), "Process 17 moves"},
		{write(v2+"cgroup.threads", "17\n"), "Thread 17 moves"},
		{write(v2+"cgroup.subtree_control", "+pids +cpu"), "The groups below get these"},
		{write(v2+"cgroup.subtree_control", "-pids"), "The groups below lose these"},
		{write(v2+"cgroup.subtree_control", "+pids -cpu"), "The groups below get some"},
		{write(v2+"cgroup.kill", "1"), "Every process in the cgroup is killed"},
		{write(v2+"cgroup.freeze", "1"), "Every process in the cgroup is frozen"},
		{write(v2+"cgroup.freeze", "0\n"), "The cgroup's frozen processes go on"},
		{write(v2+"freezer.state", "FROZEN"), "Every process in the cgroup is frozen"},
		{write(v2+"freezer.state", "THAWED"), "The cgroup's frozen processes go on"},
		{write(v2+"cgroup.type", "threaded"), "From now on the cgroup holds single threads"},
		{write(v2+"notify_on_release", "1"), "This says whether a program starts"},
		{write(v2+"cgroup.clone_children", "1"), "This says whether a new group"},
		{write(v2+"devices.deny", "a *:* rwm"), "All devices are forbidden"},
		{write(v2+"devices.deny", "a"), "All devices are forbidden"},
		{write(v2+"devices.deny", "c 1:3 m"), "These devices are forbidden"},
		{write(v2+"devices.allow", "a"), "All devices that the parent"},
		{write(v2+"devices.allow", "c 1:3 rwm"), "A device is allowed"},
		{call("bpf", unix.BPF_PROG_LOAD), "A small program is loaded"},
		{call("bpf", unix.BPF_PROG_ATTACH), "From now on the program says"},
		{call("bpf", unix.BPF_PROG_DETACH), "This program no longer says"},
		{write(v2+"pids.max", "max\n"), "Here is no limit"},
		{write(v2+"memory.limit_in_bytes", "-1"), "Here is no limit"},
		{write(v2+"cpu.max", "max 100000"), "Here is no limit"},
		{write(v2+"pids.max", "20"), "The group has at most 20 tasks"},
		{write(v2+"cgroup.max.descendants", "5"), "There may be at most 5 cgroups below"},
		{write(v2+"cgroup.max.depth", "5"), "There may be at most 5 levels"},
		{write(v2+"memory.max", "67108864"), "The group gets at most 64 MiB of memory: who"},
		{write(v2+"memory.max", "64M"), "The group gets at most 64M of memory: who"},
		{write(v2+"memory.limit_in_bytes", "1536"), "The group gets at most 1536 bytes of memory: who"},
		{write(v2+"memory.swap.max", "0"), "The group gets at most 0 bytes of swap"},
		{write(v2+"memory.memsw.limit_in_bytes", "2048"), "The group gets at most 2 KiB of memory and swap"},
		{write(v2+"memory.high", "1073741824"), "Above 1 GiB the processes are slowed"},
		{write(v2+"memory.soft_limit_in_bytes", "1024"), "When the machine runs short of memory, the group is pushed back to 1 KiB."},
		{write(v2+"memory.low", "1024"), "1 KiB are left to the group as long"},
		{write(v2+"memory.min", "1024"), "1 KiB are left to the group, whatever"},
		{write(v2+"memory.kmem.limit_in_bytes", "1024"), "The kernel uses at most 1 KiB"},
		{write(v2+"memory.swappiness", "10"), "This says how soon"},
		{write(v2+"memory.oom_control", "1"), "With 1, a process that finds no memory"},
		{write(v2+"memory.oom.group", "1"), "With 1, all processes"},
		{write(v2+"cpu.max", "50000 100000"), "The group has the CPU for at most 50000 in every 100000 microseconds."},
		{write(v2+"cpu.max", "50000"), "The group has the CPU for at most 50000 microseconds in each period."},
		{write(v2+"cpu.cfs_quota_us", "50000"), "The group has the CPU for at most 50000 microseconds in each period."},
		{write(v2+"cpu.cfs_period_us", "100000"), "The period that the quota"},
		{write(v2+"cpu.max.burst", "1000"), "CPU time that was not used is saved, up to 1000"},
		{write(v2+"cpu.weight", "100"), "When CPUs are busy"},
		{write(v2+"cpu.shares", "512"), "When CPUs are busy"},
		{write(v2+"cpu.idle", "1"), "With 1, the group's processes run only"},
		{write(v2+"cpu.rt_runtime_us", "1"), "These microseconds"},
		{write(v2+"cpuset.cpus", "0-1\n"), "The group runs on these CPUs only: 0-1."},
		{write(v2+"cpuset.mems", "0"), "The group gets memory of these NUMA nodes only: 0."},
		{write(v2+"cpuset.cpus.partition", "root"), "This says whether other groups"},
		{write(v2+"io.max", "8:0 rbps=1"), "This disk gives"},
		{write(v2+"blkio.throttle.read_bps_device", "8:0 1"), "This disk gives"},
		{write(v2+"io.weight", "100"), "When a disk is busy"},
		{write(v2+"hugetlb.2MB.max", "2097152"), "The group gets at most 2 MiB in huge pages"},
		{write(v2+"rdma.max", "mlx4_0 hca_handle=2"), "The group gets at most so many objects"},
		{write(v2+"net_cls.classid", "0x100001"), "Packets of these processes"},
		{write(v2+"net_prio.ifpriomap", "eth0 5"), "This is the priority of these"},
		{write(v2+"cgroup.pressure", "1"), "A file of a cgroup gets"},
		{write("/proc/self/oom_score_adj", "-1"), "When memory runs out"},
	}

	namespaceExamples = []example{
		{call("sethostname"), "The hostname of this UTS namespace"},
		{call("setdomainname"), "The NIS domain name"},
		{write("/proc/sys/kernel/hostname", "c"), "The hostname of this UTS namespace"},
		{call("clone", unix.CLONE_NEWUTS|unix.CLONE_NEWPID|17), "A new process begins, in new namespaces. Its own: hostname, process ids."},
		{call("clone", unix.CLONE_VM|17), "A new process begins. This call makes no"},
		{call("clone3"), "A new process begins. This call makes no"},
		{call("fork"), "A new process begins. This call makes no"},
		{call("vfork"), "A new process begins. This call makes no"},
		{call("unshare", unix.CLONE_NEWPID), "The next process"},
		{call("unshare", unix.CLONE_NEWTIME), "Processes that this one makes will have a boot"},
		{call("unshare", unix.CLONE_NEWUTS), "This process gets a hostname"},
		{call("unshare", unix.CLONE_NEWNS), "This process gets mounts"},
		{call("unshare", unix.CLONE_NEWIPC), "This process gets System V"},
		{call("unshare", unix.CLONE_NEWNET), "This process gets a network"},
		{call("unshare", unix.CLONE_NEWUSER), "This process gets user ids"},
		{call("unshare", unix.CLONE_NEWUTS|unix.CLONE_NEWPID), "This process moves into new namespaces. Its own: hostname, process ids. A PID"},
		{call("unshare", unix.CLONE_NEWUTS|unix.CLONE_NEWNET), "This process moves into new namespaces. Its own: hostname, network."},
		{call("unshare", unix.CLONE_FS), "This thread gets a working directory"},
		{call("unshare", unix.CLONE_FILES), "This thread no longer shares"},
		{call("setns", 3, unix.CLONE_NEWUSER), "This process moves into a user namespace"},
		{call("setns", 3, unix.CLONE_NEWPID), "Processes that this one makes will be in"},
		{call("setns", 3, unix.CLONE_NEWNS), "This process sees the mounts"},
		{call("setns", 3, unix.CLONE_NEWUTS), "This process has the hostname"},
		{call("setns", 3, unix.CLONE_NEWIPC), "This process shares the System V"},
		{call("setns", 3, unix.CLONE_NEWNET), "This process has the interfaces"},
		{call("setns", 3, unix.CLONE_NEWCGROUP), "What this process sees as the root of cgroups"},
		{call("setns", 3, unix.CLONE_NEWTIME), "This process has the boot"},
		{printed(call("setns", 3, 0), "3<net:[4026531840]>", "0"), "This process has the interfaces"},
		{printed(call("setns", 3, 0), "3</run/netns/x>", "0"), "This process moves into a namespace that"},
		{call("setns", 3, unix.CLONE_NEWPID|unix.CLONE_NEWUTS), "This process moves into namespaces that are there already: hostname, process ids. A PID"},
		{call("setns", 3, unix.CLONE_NEWNET|unix.CLONE_NEWUTS), "This process moves into namespaces that are there already: hostname, network."},
		{run("/usr/bin/newuidmap", "7", "0"), "newuidmap writes"},
		{run("/usr/bin/newgidmap", "7", "0"), "newgidmap writes"},
		{write("/proc/7/uid_map", "0 1000 1\n"), "User 0 in the user namespace is user 1000"},
		{write("/proc/7/gid_map", "0 1000 1\n"), "Group 0 in the user namespace is group 1000"},
		{write("/proc/7/uid_map", "0 1000 1\n1 100000 65536"), "This says which user ids"},
		{write("/proc/7/uid_map", "1000 1000 1"), "This says which user ids"},
		{write("/proc/7/gid_map", "1000 1000 1"), "This says which group ids"},
		{write("/proc/7/setgroups", "deny"), "In this user namespace nobody"},
		{write("/proc/7/setgroups", "allow"), "In this user namespace processes may"},
		{write("/proc/7/timens_offsets", "boottime 86400 0"), "The clocks of the new"},
		{write("/proc/sys/kernel/shmmax", "1"), "A setting of the kernel changes: kernel.shmmax."},
	}

	deviceExamples = []example{
		{bind("/dev/null", "/r/dev/null", 0), "A device appears"},
		{bind("none", "/r/dev/null", unix.MS_REMOUNT|unix.MS_NOSUID), "The options of this one mount change: no set-user-ID programs."},
		{bind("/dev/pts/0", "/r/dev/console", 0), "A terminal appears"},
		{mount("tmpfs", "/r/dev", "mode=755", unix.MS_NOSUID), "A new, empty /dev: none"},
		{mount("tmpfs", "/r/dev/shm", "", 0), "A new, empty /dev/shm"},
		{mount("devpts", "/r/dev/pts", "newinstance", 0), "A new /dev/pts"},
		{mount("mqueue", "/r/dev/mqueue", "", 0), "The POSIX message queues"},
		{aboutPath("mknodat", "/r/dev/null", 0, 0, unix.S_IFCHR|0o666, 0x103), "A device node"},
		{aboutPath("mknod", "/r/dev/null", 0, unix.S_IFCHR|0o666, 0x103), "A device node"},
		{aboutPath("mknodat", "/r/dev/initctl", 0, 0, unix.S_IFIFO|0o666), "A special file"},
		{linked("symlinkat", "/proc/self/fd", "/r/dev/fd"), "A name in /dev leads to /proc/self/fd."},
		{linked("symlink", "/proc/self/fd", "/r/dev/fd"), "A name in /dev leads to /proc/self/fd."},
	}

	rootExamples = []example{
		{bind("none", "/proc/bus", unix.MS_REMOUNT|unix.MS_RDONLY), "This mount changes its options: read-only."},
		{bind("none", "/r/sys/fs/cgroup/pids", unix.MS_REMOUNT|unix.MS_RDONLY), "This mount of a cgroup tree"},
		{bind("none", "/r", unix.MS_REMOUNT), "The options of this one mount change: nothing is forbidden."},
		{bind("none", "/r", unix.MS_REMOUNT|unix.MS_NODEV|unix.MS_NOEXEC), "The options of this one mount change: no devices, no programs."},
		{mount("", "/", "", unix.MS_REMOUNT|unix.MS_PRIVATE), "The options of this mount, and"},
		{bind("/dev/null", "/proc/kcore", 0), "A file is hidden"},
		{bind("/proc/bus", "/proc/bus", unix.MS_REC), "Bound to itself, a path becomes a mount with"},
		{bind("/r", "/r/", unix.MS_REC), "Bound to itself, a path becomes a mount of"},
		{bind("/sys/fs/cgroup/pids/g", "/r/sys/fs/cgroup/pids", 0), "Part of a cgroup tree"},
		{bind("/proc/7/ns/net", "/run/netns/x", 0), "A namespace gets a name"},
		{bind("/proc/self/exe", "/run/x", 0), "This program's own file"},
		{bind("/a", "/b", unix.MS_REC), "A file or folder appears at a second place, with"},
		{bind("/a", "/b", 0), "A file or folder appears at a second place: a"},
		{bind("/a", "/b", unix.MS_PRIVATE), "A file or folder appears"}, // the kernel ignores the second
		{mount("", "/proc/bus", "", unix.MS_PRIVATE), "Private: mounts made here stay"},
		{mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE), "Private: mounts made here stay"},
		{mount("", "/", "", unix.MS_SLAVE), "Slave"},
		{mount("", "/", "", unix.MS_SHARED), "Shared"},
		{mount("", "/", "", unix.MS_UNBINDABLE), "Unbindable"},
		{mount("", "/", "", unix.MS_MOVE), "A mount moves"},
		{mount("proc", "/proc", "", 0), "A new /proc shows the processes of this PID namespace."},
		{mount("sysfs", "/sys", "", unix.MS_RDONLY), "A new /sys"},
		{mount("tmpfs", "/r/proc/acpi", "", unix.MS_RDONLY), "A folder is hidden"},
		{mount("tmpfs", "/sys/firmware", "size=0k", 0), "A folder is hidden"},
		{mount("tmpfs", "/r/sys/fs/cgroup", "mode=755", 0), "A place in memory"},
		{mount("tmpfs", "/tmp", "size=0,mode=755", 0), "A file system in memory"},
		{mount("overlay", "/r", "lowerdir=/a,upperdir=/u,workdir=/w", 0), "An overlay is folders seen as one: changes"},
		{mount("overlay", "/r", "lowerdir=/a:/b", 0), "An overlay is folders seen as one: nothing"},
		{mount("fuse.sshfs", "/r", "fd=3", 0), "A program is behind"},
		{mount("cgroup", "/sys/fs/cgroup/pids", "pids", 0), "A tree of cgroup v1"},
		{mount("cgroup2", "/sys/fs/cgroup", "", 0), "The tree of cgroup v2"},
		{mount("ext4", "/r", "", unix.MS_NOSUID), "A file system is mounted"},
		{mount("ext4", "/r", "", 0xc0ed0000), "A file system is mounted"}, // MS_MGC_VAL
		{aboutPath("umount2", ".", 0, unix.MNT_DETACH), "The mount on top here"},
		{aboutPath("umount2", "/old", 0, unix.MNT_DETACH), "A mount goes, with all"},
		{aboutPath("umount2", "/old", 0, unix.MNT_EXPIRE), "A mount that nobody uses"},
		{aboutPath("umount2", "/old"), "A mount goes away"},
		{call("open_tree", 0, 0, unix.OPEN_TREE_CLONE), "A mount is copied, to no place"},
		{call("open_tree"), "A file or folder is opened"},
		{printed(aboutPath("move_mount", "/r/dev/null"), "MOVE_MOUNT_F_EMPTY_PATH"), "The mount that the descriptor leads to gets its place in the new /dev"},
		{printed(aboutPath("move_mount", "/r"), "MOVE_MOUNT_F_EMPTY_PATH"), "The mount that the descriptor leads to gets this place"},
		{aboutPath("move_mount", "/r"), "A mount moves"},
		{fsopen("proc"), "A new file system begins, of the kind proc."},
		{fsconfig(1, "source", "proc"), "An option of the file system is set: source=proc."},
		{fsconfig(0, "ro", ""), "An option of the file system is set: ro."},
		{fsconfig(fsconfigCreate, "", ""), "All options are set: the kernel makes the file system."},
		{fsconfig(fsconfigCreateExcl, "", ""), "All options are set: the kernel makes the file system, and takes none"},
		{fsconfig(fsconfigReconfigure, "", ""), "The file system gets"},
		{call("fsmount"), "It becomes a mount, at no place"},
		{call("fspick"), "A file system that is mounted"},
		{printed(call("mount_setattr"), "{attr_set=MOUNT_ATTR_IDMAP, …}"), "Files on this mount belong"},
		{printed(call("mount_setattr"), "{attr_set=MOUNT_ATTR_RDONLY|MOUNT_ATTR_NOSUID, …}"), "What is on this mount can no longer"},
		{printed(call("mount_setattr"), "{attr_set=0, attr_clr=0, propagation=MS_PRIVATE, …}"), "Private"},
		{printed(call("mount_setattr"), "{attr_set=0, attr_clr=MOUNT_ATTR_RDONLY, …}"), "The options of mounts change."},
		{call("mount_setattr"), "The options of mounts change."},
		{call("statmount"), "The kernel is asked"},
		{aboutPath("pivot_root", "."), "This folder becomes"},
		{aboutPath("pivot_root", "/new"), "Another mount becomes"},
		{call("chroot"), "From now on"},
		{run("/usr/bin/fuse-overlayfs"), "fuse-overlayfs is"},
		{run("/bin/fusermount3"), "fusermount mounts"},
		{run("/bin/mount"), "mount mounts"},
		{run("/bin/umount"), "umount takes"},
	}

	networkExamples = []example{
		{netlink(trace.Message{Type: unix.RTM_NEWLINK, Flags: unix.NLM_F_CREATE, Kind: "bridge", Name: "br0", Up: true}), "A new bridge appears, br0:"},
		{netlink(trace.Message{Type: unix.RTM_NEWLINK, Flags: unix.NLM_F_CREATE, Kind: "veth", Name: "v", PID: 7}), "A virtual cable goes from v into"},
		{netlink(trace.Message{Type: unix.RTM_NEWLINK, Flags: unix.NLM_F_CREATE, Kind: "veth", Name: "v"}), "A virtual cable: what goes in at v comes"},
		{netlink(trace.Message{Type: unix.RTM_NEWLINK, Flags: unix.NLM_F_CREATE, Kind: "macvlan", Text: "macvlan m"}), "A new network interface appears: macvlan m."},
		{netlink(trace.Message{Type: unix.RTM_NEWLINK, Name: "v", PID: 7}), "The interface v moves"},
		{netlink(trace.Message{Type: unix.RTM_SETLINK, Name: "v", Namespace: "net:[4026532000]"}), "The interface v moves"},
		{netlink(trace.Message{Type: unix.RTM_SETLINK, Name: "v", Master: "br0", Text: "x"}), "An interface is plugged into another: v into br0."},
		{netlink(trace.Message{Type: unix.RTM_NEWLINK, Name: "lo", Up: true}), "The loopback interface"},
		{netlink(trace.Message{Type: unix.RTM_SETLINK, Name: "eth0", Up: true}), "The interface eth0 is switched on"},
		{netlink(trace.Message{Type: unix.RTM_NEWLINK, Up: true, Index: 5}), "The interface number 5 is"},
		{netlink(trace.Message{Type: unix.RTM_NEWLINK, Name: "eth0", Down: true}), "The interface eth0 is switched off"},
		{netlink(trace.Message{Type: unix.RTM_NEWLINK, Name: "eth0", TypeName: "RTM_NEWLINK"}), "A network interface changes: RTM_NEWLINK."},
		{netlink(trace.Message{Type: unix.RTM_DELLINK, Name: "br0"}), "A network interface goes: br0. Of a virtual cable, the other end goes, too."},
		{netlink(trace.Message{Type: unix.RTM_DELLINK, Text: "ip link delete"}), "The network interfaces of one group go."},
		{netlink(trace.Message{Type: unix.RTM_NEWADDR, Name: "eth0", Address: "10.0.0.2/24"}), "An interface gets an address: eth0 10.0.0.2/24."},
		{netlink(trace.Message{Type: unix.RTM_DELADDR}), "An interface loses"},
		{netlink(trace.Message{Type: unix.RTM_NEWROUTE, Address: "default", Gateway: "10.0.0.1"}), "What has no other way goes to the gateway 10.0.0.1."},
		{netlink(trace.Message{Type: unix.RTM_NEWROUTE, Address: "10.0.0.0/24"}), "Packets for these addresses"},
		{netlink(trace.Message{Type: unix.RTM_DELROUTE}), "A way for packets goes"},
		{netlink(trace.Message{Type: unix.RTM_NEWNSID, TypeName: "RTM_NEWNSID"}), "A message to the kernel changes the network: RTM_NEWNSID."},
		{write("/proc/sys/net/ipv4/ip_forward", "1"), "From now on packets of others"},
		{write("/proc/sys/net/ipv4/ip_forward", "0"), "Packets of others are no longer"},
		{write("/proc/sys/net/ipv4/ping_group_range", "0 0"), "Users in these groups may ping"},
		{write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"), "Ports from this number"},
		{write("/proc/sys/net/ipv6/conf/eth0/autoconf", "0"), "A setting of this network namespace changes: net.ipv6.conf.eth0.autoconf."},
		{run("/usr/bin/slirp4netns"), "slirp4netns connects"},
		{run("/usr/bin/pasta"), "pasta connects"},
		{run("/usr/lib/podman/netavark", "setup"), "netavark sets up"},
		{run("/usr/lib/podman/aardvark-dns"), "aardvark-dns tells"},
		{run("/sbin/ip", "link"), "ip shows"},
		{run("/sbin/tc", "qdisc"), "tc shows"},
		{run("/usr/sbin/nft", "table ip g { chain p { oifname != \"g0\" masquerade; }; chain f { ct state new drop; }; }"), "Out with the host"},
		{run("/usr/sbin/nft", "add rule ip nat p masquerade"), "What leaves gets"},
		{run("/usr/sbin/nft", "delete table ip g"), "Rules of the firewall go"},
		{run("/usr/sbin/nft", "list", "ruleset"), "nft lists"},
		{run("/usr/sbin/nft", "-f", "-"), "nft changes"},
		{run("/usr/sbin/iptables", "-t", "nat", "-C", "POSTROUTING", "-j", "MASQUERADE"), "Is this rule"},
		{run("/usr/sbin/iptables", "-t", "nat", "-S", "--wait"), "iptables is only asked"},
		{run("/usr/sbin/ip6tables", "--version"), "iptables is only asked"},
		{run("/usr/sbin/iptables", "-D", "FORWARD", "-j", "X"), "Rules of the firewall go"},
		{run("/usr/sbin/iptables", "-t", "nat", "-N", "X"), "A new chain begins"},
		{run("/usr/sbin/iptables", "-P", "FORWARD", "DROP"), "This says what becomes of packets"},
		{run("/usr/sbin/iptables", "-t", "nat", "-A", "X", "-j", "MASQUERADE"), "What leaves gets"},
		{run("/usr/sbin/iptables", "-t", "nat", "-A", "X", "-j", "SNAT"), "Packets that leave get"},
		{run("/usr/sbin/iptables", "-t", "nat", "-A", "X", "-j", "DNAT"), "Packets get another destination"},
		{run("/usr/sbin/iptables", "-A", "FORWARD", "-o", "br0", "-j", "ACCEPT"), "These packets may pass"},
		{run("/usr/sbin/iptables", "-A", "FORWARD", "-j", "DROP"), "These packets may not"},
		{run("/usr/sbin/iptables", "-I", "FORWARD", "1", "-j", "X"), "A new rule says"},
		{run("/usr/sbin/iptables-restore", "--noflush", "--wait"), "iptables changes"},
	}

	privilegeExamples = []example{
		{call("prctl", unix.PR_CAPBSET_DROP, unix.CAP_SYS_BOOT), "No program file brings CAP_SYS_BOOT from here on: it would let a process reboot, or load another kernel."},
		{call("prctl", unix.PR_CAPBSET_DROP, 63), "No program file brings 0x3f from here on."},
		{call("prctl", unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, unix.CAP_KILL), "An execve of an ordinary program keeps CAP_KILL"},
		{call("prctl", unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_LOWER, unix.CAP_KILL), "An execve keeps CAP_KILL no longer"},
		{call("prctl", unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL), "An execve keeps no capabilities"},
		{capset(0, 0), "This process gives up all"},
		{capset(0, 1), "This process has these capabilities now"},
		{call("capset"), "This process has these capabilities now"},
		{call("prctl", unix.PR_SET_NO_NEW_PRIVS, 1), "No execve gives new rights"},
		{call("prctl", unix.PR_SET_DUMPABLE, 0), "From here on only the privileged"},
		{call("prctl", unix.PR_SET_DUMPABLE, 1), "Processes of the same user may"},
		{call("prctl", unix.PR_SET_SECUREBITS, 1), "These bits say"},
		{call("prctl", unix.PR_SET_KEEPCAPS, 0), "Giving up user 0 will take"},
		{call("prctl", unix.PR_SET_KEEPCAPS, 1), "Giving up user 0 will leave"},
		{filter("prctl", 12, unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, 1), "A filter of 12 instructions decides"},
		{call("prctl", unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_STRICT), "Only read, write"},
		{filter("seccomp", 12, unix.SECCOMP_SET_MODE_FILTER, 0, 1), "A filter of 12 instructions decides"},
		{call("seccomp", unix.SECCOMP_SET_MODE_STRICT), "Only read, write"},
		{call("setuid", 7), "From here on this process is user 7."},
		{call("setreuid", 7, 7), "From here on this process is user 7."},
		{call("setresuid", 7, 7, 7), "From here on this process is user 7."},
		{call("setgid", 7), "From here on this process is in group 7."},
		{call("setresgid", 7, 7, 7), "From here on this process is in group 7."},
		{call("setresuid", 7, stays, stays), "The real, the effective and the saved user id"},
		{call("setreuid", stays, 7), "The real, the effective and the saved user id"},
		{call("setregid", 7, 8), "The real, the effective and the saved group id"},
		{call("setfsuid", 7), "Files are opened with the rights of user 7."},
		{call("setfsgid", 7), "Files are opened with the rights of group 7."},
		{call("setgroups", 0), "This process gives up all further"},
		{call("setgroups", 1), "This process gets these further"},
		{call("keyctl", unix.KEYCTL_JOIN_SESSION_KEYRING), "Another session keyring"},
		{write("/proc/self/attr/apparmor/exec", "exec docker-default"), "The next execve puts"},
		{write("/proc/self/attr/keycreate", ""), "A label of AppArmor or SELinux"},
	}

	otherExamples = []example{
		{call("chdir"), "The working directory changes"},
		{aboutPath("chdir", "/"), "The working directory becomes the root"},
		{call("fchdir"), "The working directory becomes this open"},
		{call("waitid"), "Wait until"},
		{call("wait4"), "Wait until"},
		{call("prctl", unix.PR_SET_PDEATHSIG, 9), "If the process that made"},
		{call("prctl", unix.PR_SET_PDEATHSIG, 0), "From now on, no signal"},
		{call("prctl", unix.PR_SET_CHILD_SUBREAPER, 1), "Orphans below this process become"},
		{call("prctl", unix.PR_SET_CHILD_SUBREAPER, 0), "Orphans below this process are no longer"},
		{call("prctl", unix.PR_SET_MM, unix.PR_SET_MM_ARG_START), "What the kernel notes"},
		{printed(call("prctl", unix.PR_SET_THP_DISABLE, 1), "PR_SET_THP_DISABLE", "1"), "An attribute of this process or thread changes: PR_SET_THP_DISABLE."},
		{call("setsid"), "A new session"},
		{call("ioctl", 0, unix.TIOCSCTTY), "This terminal becomes"},
		{call("ioctl", 0, unix.TIOCNOTTY), "This process gives up its controlling"},
		{call("close_range", 3, 99, unix.CLOSE_RANGE_CLOEXEC), "What is open here stays out"},
		{call("close_range", 3, 99), "These descriptors are closed"},
		{run("/usr/bin/conmon"), "conmon stays"},
		{run("/usr/bin/containerd-shim-runc-v2"), "This process stays"},
		{run("/usr/sbin/runc", "run"), "runc is a runtime"},
		{run("/usr/bin/crun", "run"), "crun is a runtime"},
		{run("/usr/bin/bwrap"), "bwrap runs"},
		{run("/usr/bin/unshare"), "unshare runs"},
		{run("/usr/bin/nsenter"), "nsenter runs"},
		{run("/sbin/docker-init"), "A small init"},
		{run("/sbin/modprobe", "veth"), "modprobe loads"},
		{run("/bin/sh"), "This process becomes another program"},
		{call("execveat"), "This process becomes another program"},
	}
)

func fsopen(kind string) *trace.Call {
	c := call("fsopen")
	c.Kind = kind
	return c
}
