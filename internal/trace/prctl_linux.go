package trace

import "golang.org/x/sys/unix"

// prctlOptions are the options of prctl(2) that strace 6.1 knows.
var prctlOptions = []constant{
	{unix.PR_SET_PDEATHSIG, "PR_SET_PDEATHSIG"},
	{unix.PR_GET_PDEATHSIG, "PR_GET_PDEATHSIG"},
	{unix.PR_GET_DUMPABLE, "PR_GET_DUMPABLE"},
	{unix.PR_SET_DUMPABLE, "PR_SET_DUMPABLE"},
	{unix.PR_GET_UNALIGN, "PR_GET_UNALIGN"},
	{unix.PR_SET_UNALIGN, "PR_SET_UNALIGN"},
	{unix.PR_GET_KEEPCAPS, "PR_GET_KEEPCAPS"},
	{unix.PR_SET_KEEPCAPS, "PR_SET_KEEPCAPS"},
	{unix.PR_GET_FPEMU, "PR_GET_FPEMU"},
	{unix.PR_SET_FPEMU, "PR_SET_FPEMU"},
	{unix.PR_GET_FPEXC, "PR_GET_FPEXC"},
	{unix.PR_SET_FPEXC, "PR_SET_FPEXC"},
	{unix.PR_GET_TIMING, "PR_GET_TIMING"},
	{unix.PR_SET_TIMING, "PR_SET_TIMING"},
	{unix.PR_SET_NAME, "PR_SET_NAME"},
	{unix.PR_GET_NAME, "PR_GET_NAME"},
	{unix.PR_GET_ENDIAN, "PR_GET_ENDIAN"},
	{unix.PR_SET_ENDIAN, "PR_SET_ENDIAN"},
	{unix.PR_GET_SECCOMP, "PR_GET_SECCOMP"},
	{unix.PR_SET_SECCOMP, "PR_SET_SECCOMP"},
	{unix.PR_CAPBSET_READ, "PR_CAPBSET_READ"},
	{unix.PR_CAPBSET_DROP, "PR_CAPBSET_DROP"},
	{unix.PR_GET_TSC, "PR_GET_TSC"},
	{unix.PR_SET_TSC, "PR_SET_TSC"},
	{unix.PR_GET_SECUREBITS, "PR_GET_SECUREBITS"},
	{unix.PR_SET_SECUREBITS, "PR_SET_SECUREBITS"},
	{unix.PR_SET_TIMERSLACK, "PR_SET_TIMERSLACK"},
	{unix.PR_GET_TIMERSLACK, "PR_GET_TIMERSLACK"},
	{unix.PR_TASK_PERF_EVENTS_DISABLE, "PR_TASK_PERF_EVENTS_DISABLE"},
	{unix.PR_TASK_PERF_EVENTS_ENABLE, "PR_TASK_PERF_EVENTS_ENABLE"},
	{unix.PR_MCE_KILL, "PR_MCE_KILL"},
	{unix.PR_MCE_KILL_GET, "PR_MCE_KILL_GET"},
	{unix.PR_SET_MM, "PR_SET_MM"},
	{unix.PR_SET_CHILD_SUBREAPER, "PR_SET_CHILD_SUBREAPER"},
	{unix.PR_GET_CHILD_SUBREAPER, "PR_GET_CHILD_SUBREAPER"},
	{unix.PR_SET_NO_NEW_PRIVS, "PR_SET_NO_NEW_PRIVS"},
	{unix.PR_GET_NO_NEW_PRIVS, "PR_GET_NO_NEW_PRIVS"},
	{unix.PR_GET_TID_ADDRESS, "PR_GET_TID_ADDRESS"},
	{unix.PR_SET_THP_DISABLE, "PR_SET_THP_DISABLE"},
	{unix.PR_GET_THP_DISABLE, "PR_GET_THP_DISABLE"},
	{unix.PR_MPX_ENABLE_MANAGEMENT, "PR_MPX_ENABLE_MANAGEMENT"},
	{unix.PR_MPX_DISABLE_MANAGEMENT, "PR_MPX_DISABLE_MANAGEMENT"},
	{unix.PR_SET_FP_MODE, "PR_SET_FP_MODE"},
	{unix.PR_GET_FP_MODE, "PR_GET_FP_MODE"},
	{unix.PR_CAP_AMBIENT, "PR_CAP_AMBIENT"},
	{unix.PR_SVE_SET_VL, "PR_SVE_SET_VL"},
	{unix.PR_SVE_GET_VL, "PR_SVE_GET_VL"},
	{unix.PR_GET_SPECULATION_CTRL, "PR_GET_SPECULATION_CTRL"},
	{unix.PR_SET_SPECULATION_CTRL, "PR_SET_SPECULATION_CTRL"},
	{unix.PR_PAC_RESET_KEYS, "PR_PAC_RESET_KEYS"},
	{unix.PR_SET_TAGGED_ADDR_CTRL, "PR_SET_TAGGED_ADDR_CTRL"},
	{unix.PR_GET_TAGGED_ADDR_CTRL, "PR_GET_TAGGED_ADDR_CTRL"},
	{unix.PR_SET_IO_FLUSHER, "PR_SET_IO_FLUSHER"},
	{unix.PR_GET_IO_FLUSHER, "PR_GET_IO_FLUSHER"},
	{unix.PR_SET_SYSCALL_USER_DISPATCH, "PR_SET_SYSCALL_USER_DISPATCH"},
	{unix.PR_PAC_SET_ENABLED_KEYS, "PR_PAC_SET_ENABLED_KEYS"},
	{unix.PR_PAC_GET_ENABLED_KEYS, "PR_PAC_GET_ENABLED_KEYS"},
	{unix.PR_SCHED_CORE, "PR_SCHED_CORE"},
	{unix.PR_SME_SET_VL, "PR_SME_SET_VL"},
	{unix.PR_SME_GET_VL, "PR_SME_GET_VL"},
	{unix.PR_SET_VMA, "PR_SET_VMA"},
	{unix.PR_SET_PTRACER, "PR_SET_PTRACER"},
}

// prctlArguments are what follows an option. Of other options nothing is known, and
// all four arguments are numbers.
func prctlArguments(option uint64) []argument {
	switch option {
	case unix.PR_SET_PDEATHSIG:
		return []argument{signalArgument}
	case unix.PR_SET_DUMPABLE:
		return []argument{oneOf(dumpableNames)}
	case unix.PR_SET_KEEPCAPS, unix.PR_SET_CHILD_SUBREAPER, unix.PR_SET_TIMING, unix.PR_SET_FPEMU, unix.PR_SET_FPEXC, unix.PR_SET_ENDIAN:
		return []argument{decimalArgument}
	case unix.PR_SET_TIMERSLACK:
		return []argument{signedArgument}
	case unix.PR_SET_NO_NEW_PRIVS, unix.PR_SET_THP_DISABLE, unix.PR_SET_IO_FLUSHER:
		return []argument{decimalArgument, hexArgument, hexArgument, hexArgument}
	case unix.PR_SET_NAME:
		return []argument{nameArgument}
	case unix.PR_SET_SECUREBITS:
		return []argument{someOf(secureBits)}
	case unix.PR_CAPBSET_READ, unix.PR_CAPBSET_DROP:
		return []argument{capabilityArgument}
	case unix.PR_SET_MM:
		return []argument{lowerHalf(oneOf(memoryNames)), hexArgument, hexArgument, hexArgument}
	case unix.PR_SET_VMA:
		return []argument{oneOf([]constant{{unix.PR_SET_VMA_ANON_NAME, "PR_SET_VMA_ANON_NAME"}}), leftArgument, decimalArgument, stringArgument}
	case unix.PR_SET_PTRACER:
		return []argument{ptracerArgument}
	// Of these, which are for one kind of processor or rarely used, the rest is left out.
	case unix.PR_SET_UNALIGN, unix.PR_SET_TSC, unix.PR_SET_FP_MODE, unix.PR_SVE_SET_VL, unix.PR_SME_SET_VL,
		unix.PR_GET_SPECULATION_CTRL, unix.PR_SET_SPECULATION_CTRL, unix.PR_PAC_RESET_KEYS, unix.PR_PAC_SET_ENABLED_KEYS,
		unix.PR_SET_TAGGED_ADDR_CTRL, unix.PR_SCHED_CORE, unix.PR_SET_SYSCALL_USER_DISPATCH, unix.PR_MCE_KILL:
		return []argument{leftArgument}
	// What these ask for is written by the kernel, or is the result.
	case unix.PR_GET_PDEATHSIG, unix.PR_GET_NAME, unix.PR_GET_CHILD_SUBREAPER, unix.PR_GET_TID_ADDRESS,
		unix.PR_GET_ENDIAN, unix.PR_GET_FPEMU, unix.PR_GET_FPEXC, unix.PR_GET_UNALIGN, unix.PR_GET_TSC:
		return []argument{addressArgument}
	case unix.PR_GET_KEEPCAPS, unix.PR_GET_SECCOMP, unix.PR_GET_TIMERSLACK, unix.PR_GET_TIMING, unix.PR_GET_DUMPABLE,
		unix.PR_GET_SECUREBITS, unix.PR_GET_FP_MODE, unix.PR_SVE_GET_VL, unix.PR_SME_GET_VL,
		unix.PR_TASK_PERF_EVENTS_DISABLE, unix.PR_TASK_PERF_EVENTS_ENABLE:
		return nil
	}
	return numbers
}

var (
	dumpableNames = []constant{{0, "SUID_DUMP_DISABLE"}, {1, "SUID_DUMP_USER"}, {2, "SUID_DUMP_ROOT"}}
	ambientNames  = []constant{
		{unix.PR_CAP_AMBIENT_IS_SET, "PR_CAP_AMBIENT_IS_SET"},
		{unix.PR_CAP_AMBIENT_RAISE, "PR_CAP_AMBIENT_RAISE"},
		{unix.PR_CAP_AMBIENT_LOWER, "PR_CAP_AMBIENT_LOWER"},
		{unix.PR_CAP_AMBIENT_CLEAR_ALL, "PR_CAP_AMBIENT_CLEAR_ALL"},
	}
	memoryNames = []constant{
		{unix.PR_SET_MM_START_CODE, "PR_SET_MM_START_CODE"},
		{unix.PR_SET_MM_END_CODE, "PR_SET_MM_END_CODE"},
		{unix.PR_SET_MM_START_DATA, "PR_SET_MM_START_DATA"},
		{unix.PR_SET_MM_END_DATA, "PR_SET_MM_END_DATA"},
		{unix.PR_SET_MM_START_STACK, "PR_SET_MM_START_STACK"},
		{unix.PR_SET_MM_START_BRK, "PR_SET_MM_START_BRK"},
		{unix.PR_SET_MM_BRK, "PR_SET_MM_BRK"},
		{unix.PR_SET_MM_ARG_START, "PR_SET_MM_ARG_START"},
		{unix.PR_SET_MM_ARG_END, "PR_SET_MM_ARG_END"},
		{unix.PR_SET_MM_ENV_START, "PR_SET_MM_ENV_START"},
		{unix.PR_SET_MM_ENV_END, "PR_SET_MM_ENV_END"},
		{unix.PR_SET_MM_AUXV, "PR_SET_MM_AUXV"},
		{unix.PR_SET_MM_EXE_FILE, "PR_SET_MM_EXE_FILE"},
		{unix.PR_SET_MM_MAP, "PR_SET_MM_MAP"},
		{unix.PR_SET_MM_MAP_SIZE, "PR_SET_MM_MAP_SIZE"},
	}
	secureBits = []flag{ // see capabilities(7)
		{1 << 0, "SECBIT_NOROOT"},
		{1 << 1, "SECBIT_NOROOT_LOCKED"},
		{1 << 2, "SECBIT_NO_SETUID_FIXUP"},
		{1 << 3, "SECBIT_NO_SETUID_FIXUP_LOCKED"},
		{1 << 4, "SECBIT_KEEP_CAPS"},
		{1 << 5, "SECBIT_KEEP_CAPS_LOCKED"},
		{1 << 6, "SECBIT_NO_CAP_AMBIENT_RAISE"},
		{1 << 7, "SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED"},
	}
)
