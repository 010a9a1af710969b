package narrate

import (
	"debug/elf"
	"debug/gosym"
)

// readProgram reads the table of lines of another Go program, as "go tool addr2line"
// does. Go keeps it in stripped programs, too. Any other program has no lines: then
// nothing is known of who makes a call in it.
func readProgram(file string) *program {
	p := &program{}
	f, err := elf.Open(file)
	if err != nil {
		return p
	}
	defer f.Close()
	text := f.Section(".text")
	table := f.Section(".gopclntab")
	if table == nil {
		table = f.Section(".data.rel.ro.gopclntab")
	}
	if text == nil || table == nil {
		return p
	}
	data, err := table.Data()
	if err != nil {
		return p
	}
	found, err := gosym.NewTable(nil, gosym.NewLineTable(data, text.Addr))
	if err != nil {
		return p
	}
	p.entry = f.Entry
	p.lines = func(counters []uintptr) (all []frame) {
		for i, counter := range counters {
			if i > 0 { // where a function returns to is the line after the call's
				counter--
			}
			if file, line, function := found.PCToLine(uint64(counter)); function != nil {
				all = append(all, frame{function.Name, file, line})
			}
		}
		return all
	}
	return p
}
