package check

// olderWaits are calls that newer processors do not have.
var olderWaits map[uint64]wait
