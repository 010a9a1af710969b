// Package seccomp builds and installs the filter that decides which system
// calls a container may make, see seccomp(2).
//
// A filter is a small program for the kernel's virtual machine of classic BPF
// (Documentation/networking/filter.rst). The kernel runs it before each system
// call, over the call's number, the processor architecture whose table that
// number is from, and six arguments as they are in the registers; it cannot
// follow a pointer. The program answers allow, or an errno.
//
// The package has four floors: the assembler turns a readable text into
// instructions, the table says what is known of each call on amd64 and arm64,
// the filter makes text from the table, and Install hands it to the kernel.
//
// The default filter is as strict as Docker's, and in a few places stricter:
//
//   - Calls that a container has no use for answer EPERM. Some of them are
//     allowed when the container keeps the capability that they need.
//   - Calls newer than the table answer ENOSYS, as on an older kernel: programs
//     then use the older call that they were written for.
//   - The 32-bit entrance (int 0x80 on amd64, AArch32 on arm64) and the x32 calls
//     answer ENOSYS, as on a kernel built without them. They have numbers of
//     their own, and much less used code behind them. Docker lets them in.
//   - The ioctls TIOCSTI and TIOCLINUX answer EPERM: they type into a terminal
//     that the container may share with the shell outside (CVE-2017-5226).
//   - Arguments of type int are compared as the kernel reads them, by their
//     lower 32 bits.
//
// On Linux before 4.8 a tracer could lead its tracee around a filter; like
// Docker's, the filter allows ptrace for the sake of debuggers since then.
package seccomp
