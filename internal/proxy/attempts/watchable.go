package attempts

// Watchable is what a proxy knows of those who come.
type Watchable struct {
	Protocol string
	Calls    *Recorder   // nil where no caller can be told from another
	Met      *MetWatches // nil where there are no requests
}
