package trace

// olderNames are calls that newer processors have only in a more general form.
var olderNames = [...]string{}
