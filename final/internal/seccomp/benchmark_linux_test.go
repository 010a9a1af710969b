package seccomp

import "testing"

// The filter is built on the way to every start: it has a tenth of a millisecond.
func BenchmarkDefault(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		if _, err := Default(keeps(dockers)); err != nil {
			b.Fatal(err)
		}
	}
}
