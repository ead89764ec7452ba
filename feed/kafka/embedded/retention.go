package embedded

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// forgetEvery is how often the log is cut. kfake itself would do so once an hour.
const forgetEvery = 2 * time.Second

// forget owns the retention until ctx ends.
func (b *Broker) forget(ctx context.Context) {
	ticker := time.NewTicker(forgetEvery)
	defer ticker.Stop()
	var compacted int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			b.cluster.ApplyRetention()
			b.cut()
			compacted = b.compact(compacted)
		}
	}
}

// cut keeps the log within MaxBytes: it takes the same share of records off the
// start of every lane, so that the lanes go on to cover the same time.
func (b *Broker) cut() {
	topics := b.topics(false)
	held := b.held(topics)
	if held <= b.options.MaxBytes {
		return
	}
	excess := float64(held-b.options.MaxBytes) / float64(held)
	for _, topic := range topics {
		for _, lane := range b.cluster.PartitionInfos(topic) {
			records := lane.HighWatermark - lane.LogStartOffset
			start := lane.LogStartOffset + int64(float64(records)*excess) + 1
			if err := b.DeleteBefore(topic, int(lane.Partition), min(start, lane.HighWatermark)); err != nil {
				logger{b.options.Log}.Logf(2, "cutting lane %d of %s: %v", lane.Partition, topic, err)
			}
		}
	}
}

// compact compacts when the compacted topics hold twice of what was left the last
// time, which is given and returned: that bounds both the disk and the work.
func (b *Broker) compact(left int64) int64 {
	const least = 1 << 20
	topics := b.topics(true)
	if b.held(topics) < 2*left+least {
		return left
	}
	b.cluster.Compact()
	return b.held(topics)
}

// held is the bytes of log in all lanes of the topics.
func (b *Broker) held(topics []string) (bytes int64) {
	for _, topic := range topics {
		for _, lane := range b.cluster.PartitionInfos(topic) {
			bytes += lane.NumBytes
		}
	}
	return bytes
}

// topics lists the topics that are compacted, or those that are not, from the
// folders of their lanes.
func (b *Broker) topics(wantCompacted bool) []string {
	folders, err := os.ReadDir(filepath.Join(b.dir, "partitions"))
	if err != nil {
		return nil // No topic yet.
	}
	var names []string
	seen := map[string]bool{}
	for _, folder := range folders {
		escaped, _, ok := cutLast(folder.Name(), "-")
		name, err := url.PathUnescape(escaped)
		if !ok || err != nil || seen[name] {
			continue
		}
		seen[name] = true
		if info := b.cluster.TopicInfo(name); info != nil && compacted(info.Configs) == wantCompacted {
			names = append(names, name)
		}
	}
	return names
}

func compacted(configs map[string]*string) bool {
	policy := configs["cleanup.policy"]
	return policy != nil && strings.Contains(*policy, "compact")
}

// cutLast splits s around the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	at := strings.LastIndex(s, sep)
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+len(sep):], true
}
