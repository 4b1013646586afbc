// replaced by the collector
