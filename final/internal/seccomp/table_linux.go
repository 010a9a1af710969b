package seccomp

import "golang.org/x/sys/unix"

// A verdict is what the filter says to a call. It is the label of that part of
// the program which says it.
const (
	absent           label = iota // ENOSYS, also for every number that is not in the table
	denied                        // EPERM
	allowed                       // the kernel goes on with the call
	checkSocket                   // by the address family
	checkPersonality              // by the execution domain
	checkIoctl                    // by the request
	checkClone                    // by the namespaces asked for

	native    // no verdict: where the search begins
	firstSpan // nor this: the labels of the search count from here
)

// call is a system call and its number on each architecture. The numbers are
// those of the kernel's syscall_64.tbl (amd64) and asm-generic/unistd.h (arm64).
type call struct {
	name         string
	amd64, arm64 int16
}

// none is the number of a call that an architecture does not have.
const none = -1

// group is a list of calls that get the same verdict, unless the container
// keeps one of the capabilities in unless: then they are allowed.
type group struct {
	verdict label
	unless  uint64 // bit n stands for the capability with number n, 0 for none
	calls   []call
}

// table has every call up to Linux 6.13. Later ones are left out on purpose:
// see the package comment.
var table = []group{
	// Files and folders by name.
	{allowed, 0, []call{
		{"open", 2, none}, {"openat", 257, 56}, {"openat2", 437, 437},
		{"creat", 85, none}, {"access", 21, none}, {"faccessat", 269, 48},
		{"faccessat2", 439, 439}, {"stat", 4, none}, {"lstat", 6, none},
		{"fstat", 5, 80}, {"newfstatat", 262, 79}, {"statx", 332, 291},
		{"statfs", 137, 43}, {"fstatfs", 138, 44}, {"readlink", 89, none},
		{"readlinkat", 267, 78}, {"getdents", 78, none}, {"getdents64", 217, 61},
		{"getcwd", 79, 17}, {"chdir", 80, 49}, {"fchdir", 81, 50},
		{"mkdir", 83, none}, {"mkdirat", 258, 34}, {"rmdir", 84, none},
		{"rename", 82, none}, {"renameat", 264, 38}, {"renameat2", 316, 276},
		{"link", 86, none}, {"linkat", 265, 37}, {"symlink", 88, none},
		{"symlinkat", 266, 36}, {"unlink", 87, none}, {"unlinkat", 263, 35},
		{"mknod", 133, none}, {"mknodat", 259, 33}, {"chmod", 90, none},
		{"fchmod", 91, 52}, {"fchmodat", 268, 53}, {"fchmodat2", 452, 452},
		{"chown", 92, none}, {"fchown", 93, 55}, {"lchown", 94, none},
		{"fchownat", 260, 54}, {"umask", 95, 166}, {"utime", 132, none},
		{"utimes", 235, none}, {"futimesat", 261, none}, {"utimensat", 280, 88},
		{"truncate", 76, 45}, {"ftruncate", 77, 46}, {"name_to_handle_at", 303, 264},
		{"statmount", 457, 457}, {"listmount", 458, 458}, {"inotify_init", 253, none},
		{"inotify_init1", 294, 26}, {"inotify_add_watch", 254, 27}, {"inotify_rm_watch", 255, 28},
		{"fanotify_mark", 301, 263}, {"getxattr", 191, 8}, {"lgetxattr", 192, 9},
		{"fgetxattr", 193, 10}, {"getxattrat", 464, 464}, {"setxattr", 188, 5},
		{"lsetxattr", 189, 6}, {"fsetxattr", 190, 7}, {"setxattrat", 463, 463},
		{"listxattr", 194, 11}, {"llistxattr", 195, 12}, {"flistxattr", 196, 13},
		{"listxattrat", 465, 465}, {"removexattr", 197, 14}, {"lremovexattr", 198, 15},
		{"fremovexattr", 199, 16}, {"removexattrat", 466, 466},
	}},
	// Open files, pipes, and waiting for them.
	{allowed, 0, []call{
		{"read", 0, 63}, {"write", 1, 64}, {"readv", 19, 65},
		{"writev", 20, 66}, {"pread64", 17, 67}, {"pwrite64", 18, 68},
		{"preadv", 295, 69}, {"pwritev", 296, 70}, {"preadv2", 327, 286},
		{"pwritev2", 328, 287}, {"lseek", 8, 62}, {"close", 3, 57},
		{"close_range", 436, 436}, {"dup", 32, 23}, {"dup2", 33, none},
		{"dup3", 292, 24}, {"fcntl", 72, 25}, {"flock", 73, 32},
		{"fsync", 74, 82}, {"fdatasync", 75, 83}, {"sync", 162, 81},
		{"syncfs", 306, 267}, {"sync_file_range", 277, 84}, {"fallocate", 285, 47},
		{"fadvise64", 221, 223}, {"readahead", 187, 213}, {"cachestat", 451, 451},
		{"copy_file_range", 326, 285}, {"sendfile", 40, 71}, {"splice", 275, 76},
		{"tee", 276, 77}, {"vmsplice", 278, 75}, {"pipe", 22, none},
		{"pipe2", 293, 59}, {"select", 23, none}, {"pselect6", 270, 72},
		{"poll", 7, none}, {"ppoll", 271, 73}, {"epoll_create", 213, none},
		{"epoll_create1", 291, 20}, {"epoll_ctl", 233, 21}, {"epoll_ctl_old", 214, none},
		{"epoll_wait", 232, none}, {"epoll_wait_old", 215, none}, {"epoll_pwait", 281, 22},
		{"epoll_pwait2", 441, 441}, {"eventfd", 284, none}, {"eventfd2", 290, 19},
		{"signalfd", 282, none}, {"signalfd4", 289, 74}, {"timerfd_create", 283, 85},
		{"timerfd_settime", 286, 86}, {"timerfd_gettime", 287, 87}, {"io_setup", 206, 0},
		{"io_destroy", 207, 1}, {"io_submit", 209, 2}, {"io_cancel", 210, 3},
		{"io_getevents", 208, 4}, {"io_pgetevents", 333, 292},
	}},
	// Memory.
	{allowed, 0, []call{
		{"brk", 12, 214}, {"mmap", 9, 222}, {"munmap", 11, 215},
		{"mremap", 25, 216}, {"mprotect", 10, 226}, {"madvise", 28, 233},
		{"msync", 26, 227}, {"mincore", 27, 232}, {"mlock", 149, 228},
		{"mlock2", 325, 284}, {"munlock", 150, 229}, {"mlockall", 151, 230},
		{"munlockall", 152, 231}, {"mseal", 462, 462}, {"remap_file_pages", 216, 234},
		{"memfd_create", 319, 279}, {"memfd_secret", 447, 447}, {"pkey_alloc", 330, 289},
		{"pkey_free", 331, 290}, {"pkey_mprotect", 329, 288}, {"map_shadow_stack", 453, 453},
		{"membarrier", 324, 283},
	}},
	// Processes and threads. A tracer reaches only what its pid namespace shows it,
	// and since Linux 4.8 it cannot lead its tracee around this filter.
	{allowed, 0, []call{
		{"fork", 57, none}, {"vfork", 58, none}, {"execve", 59, 221},
		{"execveat", 322, 281}, {"exit", 60, 93}, {"exit_group", 231, 94},
		{"wait4", 61, 260}, {"waitid", 247, 95}, {"getpid", 39, 172},
		{"getppid", 110, 173}, {"gettid", 186, 178}, {"getpgid", 121, 155},
		{"setpgid", 109, 154}, {"getpgrp", 111, none}, {"getsid", 124, 156},
		{"setsid", 112, 157}, {"set_tid_address", 218, 96}, {"set_robust_list", 273, 99},
		{"get_robust_list", 274, 100}, {"futex", 202, 98}, {"futex_wait", 455, 455},
		{"futex_wake", 454, 454}, {"futex_waitv", 449, 449}, {"futex_requeue", 456, 456},
		{"rseq", 334, 293}, {"restart_syscall", 219, 128}, {"prctl", 157, 167},
		{"arch_prctl", 158, none}, {"modify_ldt", 154, none}, {"set_thread_area", 205, none},
		{"get_thread_area", 211, none}, {"uretprobe", 335, none}, {"pidfd_open", 434, 434},
		{"pidfd_send_signal", 424, 424}, {"process_mrelease", 448, 448}, {"ptrace", 101, 117},
		{"process_vm_readv", 310, 270}, {"process_vm_writev", 311, 271},
	}},
	// Scheduling and resource limits.
	{allowed, 0, []call{
		{"sched_yield", 24, 124}, {"sched_getaffinity", 204, 123}, {"sched_setaffinity", 203, 122},
		{"sched_getparam", 143, 121}, {"sched_setparam", 142, 118}, {"sched_getscheduler", 145, 120},
		{"sched_setscheduler", 144, 119}, {"sched_getattr", 315, 275}, {"sched_setattr", 314, 274},
		{"sched_get_priority_max", 146, 125}, {"sched_get_priority_min", 147, 126}, {"sched_rr_get_interval", 148, 127},
		{"getpriority", 140, 141}, {"setpriority", 141, 140}, {"ioprio_get", 252, 31},
		{"ioprio_set", 251, 30}, {"getrlimit", 97, 163}, {"setrlimit", 160, 164},
		{"prlimit64", 302, 261}, {"getrusage", 98, 165}, {"times", 100, 153},
		{"getcpu", 309, 168},
	}},
	// Users, groups, capabilities, and sandboxes that only take rights away.
	{allowed, 0, []call{
		{"getuid", 102, 174}, {"geteuid", 107, 175}, {"getresuid", 118, 148},
		{"setuid", 105, 146}, {"setreuid", 113, 145}, {"setresuid", 117, 147},
		{"setfsuid", 122, 151}, {"getgid", 104, 176}, {"getegid", 108, 177},
		{"getresgid", 120, 150}, {"setgid", 106, 144}, {"setregid", 114, 143},
		{"setresgid", 119, 149}, {"setfsgid", 123, 152}, {"getgroups", 115, 158},
		{"setgroups", 116, 159}, {"capget", 125, 90}, {"capset", 126, 91},
		{"seccomp", 317, 277}, {"landlock_create_ruleset", 444, 444}, {"landlock_add_rule", 445, 445},
		{"landlock_restrict_self", 446, 446},
	}},
	// Signals.
	{allowed, 0, []call{
		{"kill", 62, 129}, {"tkill", 200, 130}, {"tgkill", 234, 131},
		{"pause", 34, none}, {"rt_sigaction", 13, 134}, {"rt_sigprocmask", 14, 135},
		{"rt_sigpending", 127, 136}, {"rt_sigsuspend", 130, 133}, {"rt_sigtimedwait", 128, 137},
		{"rt_sigqueueinfo", 129, 138}, {"rt_tgsigqueueinfo", 297, 240}, {"rt_sigreturn", 15, 139},
		{"sigaltstack", 131, 132},
	}},
	// Time. The kernel itself lets only CAP_SYS_TIME change it through adjtimex.
	{allowed, 0, []call{
		{"time", 201, none}, {"gettimeofday", 96, 169}, {"clock_gettime", 228, 113},
		{"clock_getres", 229, 114}, {"clock_nanosleep", 230, 115}, {"nanosleep", 35, 101},
		{"adjtimex", 159, 171}, {"clock_adjtime", 305, 266}, {"alarm", 37, none},
		{"getitimer", 36, 102}, {"setitimer", 38, 103}, {"timer_create", 222, 107},
		{"timer_settime", 223, 110}, {"timer_gettime", 224, 108}, {"timer_getoverrun", 225, 109},
		{"timer_delete", 226, 111},
	}},
	// Sockets, once they are made.
	{allowed, 0, []call{
		{"socketpair", 53, 199}, {"bind", 49, 200}, {"listen", 50, 201},
		{"accept", 43, 202}, {"accept4", 288, 242}, {"connect", 42, 203},
		{"shutdown", 48, 210}, {"getsockname", 51, 204}, {"getpeername", 52, 205},
		{"getsockopt", 55, 209}, {"setsockopt", 54, 208}, {"sendto", 44, 206},
		{"recvfrom", 45, 207}, {"sendmsg", 46, 211}, {"recvmsg", 47, 212},
		{"sendmmsg", 307, 269}, {"recvmmsg", 299, 243},
	}},
	// System V IPC and POSIX message queues, which the ipc namespace confines.
	{allowed, 0, []call{
		{"shmget", 29, 194}, {"shmat", 30, 196}, {"shmdt", 67, 197},
		{"shmctl", 31, 195}, {"semget", 64, 190}, {"semop", 65, 193},
		{"semtimedop", 220, 192}, {"semctl", 66, 191}, {"msgget", 68, 186},
		{"msgsnd", 69, 189}, {"msgrcv", 70, 188}, {"msgctl", 71, 187},
		{"mq_open", 240, 180}, {"mq_unlink", 241, 181}, {"mq_timedsend", 242, 182},
		{"mq_timedreceive", 243, 183}, {"mq_notify", 244, 184}, {"mq_getsetattr", 245, 185},
	}},
	// The system.
	{allowed, 0, []call{
		{"uname", 63, 160}, {"sysinfo", 99, 179}, {"getrandom", 318, 278},
	}},
	// Calls whose arguments decide.
	{checkSocket, 0, []call{{"socket", 41, 198}}},
	{checkPersonality, 0, []call{{"personality", 135, 92}}},
	{checkIoctl, 0, []call{{"ioctl", 16, 29}}},
	// Namespaces. clone3 has its flags in memory, where no filter can look: it is
	// answered with ENOSYS, on which C libraries fall back to clone.
	{checkClone, 1 << unix.CAP_SYS_ADMIN, []call{{"clone", 56, 220}}},
	{absent, 1 << unix.CAP_SYS_ADMIN, []call{{"clone3", 435, 435}}},
	{denied, 1 << unix.CAP_SYS_ADMIN, []call{
		{"unshare", 272, 97}, {"setns", 308, 268},
	}},
	// Mounts, names of the machine, quotas, security modules.
	{denied, 1 << unix.CAP_SYS_ADMIN, []call{
		{"mount", 165, 40}, {"umount2", 166, 39}, {"mount_setattr", 442, 442},
		{"move_mount", 429, 429}, {"open_tree", 428, 428}, {"fsopen", 430, 430},
		{"fsconfig", 431, 431}, {"fsmount", 432, 432}, {"fspick", 433, 433},
		{"sethostname", 170, 161}, {"setdomainname", 171, 162}, {"quotactl", 179, 60},
		{"quotactl_fd", 443, 443}, {"fanotify_init", 300, 262}, {"lookup_dcookie", 212, 18},
		{"lsm_get_self_attr", 459, 459}, {"lsm_set_self_attr", 460, 460}, {"lsm_list_modules", 461, 461},
	}},
	// Calls that belong to one capability: without it the kernel would refuse most
	// of them too, but only after running code that an attacker may want to reach.
	{denied, 1 << unix.CAP_DAC_READ_SEARCH, []call{{"open_by_handle_at", 304, 265}}},
	{denied, 1 << unix.CAP_SYS_BOOT, []call{{"reboot", 169, 142}}},
	{denied, 1 << unix.CAP_SYS_CHROOT, []call{{"chroot", 161, 51}}},
	{denied, 1 << unix.CAP_SYS_MODULE, []call{
		{"init_module", 175, 105}, {"finit_module", 313, 273}, {"delete_module", 176, 106},
	}},
	{denied, 1 << unix.CAP_SYS_PACCT, []call{{"acct", 163, 89}}},
	{denied, 1 << unix.CAP_SYS_PTRACE, []call{
		{"kcmp", 312, 272}, {"pidfd_getfd", 438, 438}, {"process_madvise", 440, 440},
	}},
	{denied, 1 << unix.CAP_SYS_RAWIO, []call{
		{"iopl", 172, none}, {"ioperm", 173, none},
	}},
	{denied, 1 << unix.CAP_SYS_TIME, []call{
		{"settimeofday", 164, 170}, {"clock_settime", 227, 112},
	}},
	{denied, 1 << unix.CAP_SYS_TTY_CONFIG, []call{{"vhangup", 153, 58}}},
	{denied, 1 << unix.CAP_SYS_NICE, []call{
		{"get_mempolicy", 239, 236}, {"set_mempolicy", 238, 237}, {"set_mempolicy_home_node", 450, 450},
		{"mbind", 237, 235},
	}},
	{denied, 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_BPF, []call{{"bpf", 321, 280}}},
	{denied, 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_PERFMON, []call{{"perf_event_open", 298, 241}}},
	{denied, 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_SYSLOG, []call{{"syslog", 103, 116}}},
	// Calls for nobody in a container. The kernel's keyrings know no namespace;
	// io_uring makes calls that no filter sees, and was the way into the kernel more
	// often than any other; userfaultfd stops the kernel where an attacker wants it.
	{denied, 0, []call{
		{"add_key", 248, 217}, {"request_key", 249, 218}, {"keyctl", 250, 219},
		{"io_uring_setup", 425, 425}, {"io_uring_enter", 426, 426}, {"io_uring_register", 427, 427},
		{"userfaultfd", 323, 282}, {"kexec_load", 246, 104}, {"kexec_file_load", 320, 294},
		{"pivot_root", 155, 41}, {"swapon", 167, 224}, {"swapoff", 168, 225},
		{"migrate_pages", 256, 238}, {"move_pages", 279, 239},
	}},
	// Calls that Linux has removed, or keeps for programs of the last century.
	{denied, 0, []call{
		{"_sysctl", 156, none}, {"afs_syscall", 183, none}, {"create_module", 174, none},
		{"get_kernel_syms", 177, none}, {"getpmsg", 181, none}, {"nfsservctl", 180, 42},
		{"putpmsg", 182, none}, {"query_module", 178, none}, {"security", 185, none},
		{"sysfs", 139, none}, {"tuxcall", 184, none}, {"uselib", 134, none},
		{"ustat", 136, none}, {"vserver", 236, none},
	}},
}
