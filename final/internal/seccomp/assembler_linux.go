package seccomp

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// The text of a program is a list of lines. A line is an instruction, or a
// label that names the instruction after it. Labels are numbers, so that the
// branches of a search can be named by what they lead to.
type label int

// next is the label of the line below, wherever it is written.
const next label = -1

// line is one line of text. yes and no are where a test goes on.
type line struct {
	code    uint16 // 0 for a line that is only a label
	k       uint32 // what the instruction works with
	yes, no label
}

const (
	loadWord  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	testEqual = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	testLeast = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	testBits  = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
	jump      = unix.BPF_JMP | unix.BPF_JA
	returnK   = unix.BPF_RET | unix.BPF_K
)

// load reads the 32-bit word at offset of struct seccomp_data.
func load(offset uint32) line { return line{code: loadWord, k: offset} }

// ifEqual tests whether the word is k.
func ifEqual(k uint32, yes, no label) line { return line{testEqual, k, yes, no} }

// ifAtLeast tests whether the word is k or more, without a sign.
func ifAtLeast(k uint32, yes, no label) line { return line{testLeast, k, yes, no} }

// ifAnyBit tests whether the word has any bit of k set.
func ifAnyBit(k uint32, yes, no label) line { return line{testBits, k, yes, no} }

// goTo goes on at a label, however far it is.
func goTo(l label) line { return line{code: jump, yes: l} }

// answer ends the program with one of the SECCOMP_RET_ actions.
func answer(action uint32) line { return line{code: returnK, k: action} }

// at marks the line below as l.
func at(l label) line { return line{yes: l} }

// assemble turns text into instructions. Jumps are relative, go forward only,
// and those of a test are 8 bits wide: what does not fit is an error.
func assemble(text []line) (Program, error) {
	addresses, length, err := locate(text)
	if err != nil {
		return nil, err
	}
	program := make(Program, 0, length)
	for _, l := range text {
		if l.code == 0 {
			continue
		}
		instruction := unix.SockFilter{Code: l.code, K: l.k}
		here := len(program)
		switch l.code {
		case jump:
			instruction.K, err = distance(here, l.yes, addresses)
		case testEqual, testLeast, testBits:
			instruction.Jt, instruction.Jf, err = branches(here, l, addresses)
		}
		if err != nil {
			return nil, err
		}
		program = append(program, instruction)
	}
	return program, nil
}

// locate returns the address of each label, by label and -1 where there is
// none, and how many instructions the text has.
func locate(text []line) (addresses []int, length int, err error) {
	for _, l := range text {
		if l.code != 0 {
			length++
			continue
		}
		for int(l.yes) >= len(addresses) {
			addresses = append(addresses, -1)
		}
		if addresses[l.yes] >= 0 {
			return nil, 0, fmt.Errorf("assemble BPF: label %d stands twice", l.yes)
		}
		addresses[l.yes] = length
	}
	switch {
	case length == 0:
		return nil, 0, errors.New("assemble BPF: no instructions")
	case length > unix.BPF_MAXINSNS:
		return nil, 0, fmt.Errorf("assemble BPF: %d instructions, the kernel takes %d (BPF_MAXINSNS)", length, unix.BPF_MAXINSNS)
	}
	return addresses, length, nil
}

func branches(here int, l line, addresses []int) (yes, no uint8, err error) {
	far, err := distance(here, l.yes, addresses)
	if err != nil {
		return 0, 0, err
	}
	near, err := distance(here, l.no, addresses)
	if err != nil {
		return 0, 0, err
	}
	if most := max(far, near); most > 255 {
		return 0, 0, fmt.Errorf("assemble BPF: a test at instruction %d jumps over %d others, 255 is the most", here, most)
	}
	return uint8(far), uint8(near), nil
}

// distance counts the instructions between here and the label.
func distance(here int, l label, addresses []int) (uint32, error) {
	switch {
	case l == next:
		return 0, nil
	case int(l) >= len(addresses) || addresses[l] < 0:
		return 0, fmt.Errorf("assemble BPF: instruction %d goes to label %d, which is nowhere", here, l)
	case addresses[l] <= here:
		return 0, fmt.Errorf("assemble BPF: instruction %d goes back to label %d, BPF only goes forward", here, l)
	}
	return uint32(addresses[l] - here - 1), nil
}
