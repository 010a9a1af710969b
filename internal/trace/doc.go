// Package trace stops a program at each of its system calls, and reads what it
// asks the kernel, from which line of its source, and what the kernel answers.
// It can also answer in the kernel's place.
//
// It is built on ptrace(2), as strace(1) and debuggers are. A Tracer seizes a
// running program with all its threads; what they start is traced, too. Each
// stop is an Event, and the thread stays where it is until Continue:
//
//	tracer, err := trace.Seize(pid)
//	for stop, ok := tracer.Wait(); ok; stop, ok = tracer.Wait() {
//		for event, ok := tracer.Event(stop); ok; event, ok = tracer.Next() {
//			… tracer.Continue(event.Thread)
//		}
//	}
//
// All requests of ptrace must come from the thread that seized: whoever uses a
// Tracer locks its goroutine to a thread.
//
// It needs Linux 5.3 or later (PTRACE_GET_SYSCALL_INFO), on amd64 or arm64.
package trace
