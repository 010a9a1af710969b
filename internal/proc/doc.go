// Package proc reads what the kernel says of processes: the files below /proc,
// see proc(5), and how a program was started.
package proc
