package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/produce"
	"github.com/segmentio/kafka-go/protocol/rawproduce"
)

// unanswered is the code of a lane before its answer; Kafka has none like it.
const unanswered = kafka.Error(-2)

// answer is what the broker said about one lane of a request.
type answer struct {
	code kafka.Error
	base int64 // Offset of the batch's first record, if code is 0.
}

// takeOver gets a producer id and epoch from the coordinator, which from then
// on refuses older epochs of the same transactional id.
func (w *Writer) takeOver(ctx context.Context) error {
	pause := backoff{low: 20 * time.Millisecond, high: 500 * time.Millisecond}
	for {
		err := w.initProducer(ctx, -1, -1)
		if err == nil {
			return nil
		}
		if w.final(err) != nil || pause.wait(ctx) != nil {
			return fmt.Errorf("kafka: the writer of %q got no producer id: %w", w.topic, w.conn.explain(strings.Join(w.conn.Brokers, ", "), err))
		}
		w.forgetLeaders()
	}
}

// renewAfter is the age at which the epoch is renewed. A coordinator forgets an
// id that it did not hear of for a week (transactional.id.expiration.ms), and
// with it whom a newer writer has to fence.
const renewAfter = 24 * time.Hour

// renew takes a new epoch when the present one is old and nothing is on its way.
func (w *Writer) renew(ctx context.Context) error {
	if w.id == "" || time.Since(w.since) < renewAfter || w.underWay() {
		return nil
	}
	err := w.initProducer(ctx, w.producer, w.epoch)
	if final := w.final(err); final != nil {
		w.failed = final
		return final
	}
	return nil // If the coordinator is away, the old epoch is good for days.
}

// underWay reports whether a batch may have been sent.
func (w *Writer) underWay() bool {
	for lane := range w.lanes {
		if q := w.lanes[lane].batches; len(q) > 0 && q[0].sealed {
			return true
		}
	}
	return false
}

// initProducer gets a new epoch; producer and epoch are those held now, or -1.
// Sequences begin anew with an epoch.
func (w *Writer) initProducer(ctx context.Context, producer int64, epoch int16) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	answer, err := w.conn.client(w.transport).InitProducerID(ctx, &kafka.InitProducerIDRequest{
		TransactionalID: w.id, TransactionTimeoutMs: 60_000, ProducerID: int(producer), ProducerEpoch: int(epoch),
	})
	switch {
	case err != nil:
		return err
	case answer.Error != nil:
		return answer.Error
	}
	w.producer, w.epoch, w.since = int64(answer.Producer.ProducerID), int16(answer.Producer.ProducerEpoch), time.Now()
	for lane := range w.lanes {
		w.lanes[lane].sequence = 0
	}
	return nil
}

// final returns the error to end with if trying again can't help, else nil.
func (w *Writer) final(err error) error {
	var code kafka.Error
	if !errors.As(err, &code) || code.Temporary() && code != kafka.InvalidMessage {
		return nil
	}
	switch code {
	case kafka.BrokerNotAvailable, kafka.ReplicaNotAvailable, kafka.ConcurrentTransactions, kafka.TransactionCoordinatorFenced,
		kafka.Unknown, unanswered:
		return nil
	case kafka.InvalidProducerEpoch, kafka.ProducerFenced:
		return fmt.Errorf("kafka: %w the writing of %q (id %q): %w", ErrFenced, w.topic, w.id, code)
	case kafka.OutOfOrderSequenceNumber, kafka.UnknownProducerId:
		return fmt.Errorf("kafka: %w to %q: %w: the topic lost data or was made anew; restart the writer", ErrSequence, w.topic, code)
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge:
		return fmt.Errorf("kafka: a record for %q is larger than the broker takes: %w: raise the topic's max.message.bytes", w.topic, code)
	case kafka.InvalidTimestamp:
		return fmt.Errorf("kafka: the time of a record for %q is too far from the broker's clock: %w: raise the topic's message.timestamp.after.max.ms and .before.max.ms", w.topic, code)
	default:
		return w.conn.explain(strings.Join(w.conn.Brokers, ", "), code)
	}
}

// forgetLeaders drops what is known of the cluster, with its connections.
func (w *Writer) forgetLeaders() {
	w.leaders = nil
	w.transport.CloseIdleConnections()
}

// findLeaders learns which broker leads each lane.
func (w *Writer) findLeaders(ctx context.Context) error {
	if w.leaders != nil {
		return nil
	}
	answer, err := w.conn.client(w.transport).Metadata(ctx, &kafka.MetadataRequest{Topics: []string{w.topic}})
	if err != nil {
		return err
	}
	brokers, err := leadersOf(w.conn, w.topic, answer)
	if err != nil {
		return err
	}
	if err := checkLanes(w.topic, len(brokers), len(w.lanes)); err != nil {
		return err
	}
	found := make([]int, len(brokers))
	for lane, b := range brokers {
		if b.ID < 0 {
			return fmt.Errorf("lane %d: %w", lane, kafka.LeaderNotAvailable)
		}
		found[lane] = b.ID
	}
	w.leaders = found
	return nil
}

// try sends every pending lane once and keeps those pending that were not
// acknowledged. The error is the worst of them.
func (w *Writer) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := w.findLeaders(ctx); err != nil {
		return err
	}
	for _, lane := range w.pending {
		w.answers[lane] = answer{code: unanswered, base: -1}
	}
	err := w.send(ctx)
	left := w.pending[:0]
	for _, lane := range w.pending {
		problem := w.answers[lane].problem(lane)
		if problem == nil {
			w.acknowledged(lane, w.answers[lane].base)
			continue
		}
		left = append(left, lane)
		if err == nil || w.final(problem) != nil {
			err = problem
		}
	}
	w.pending = left
	return err
}

// problem is why the lane has to be tried again, or nil.
func (a answer) problem(lane int) error {
	switch a.code {
	case 0, kafka.DuplicateSequenceNumber:
		return nil
	case unanswered:
		return fmt.Errorf("lane %d: no answer", lane)
	default:
		return fmt.Errorf("lane %d: %w", lane, a.code)
	}
}

// send makes one request per leading broker, in parallel if there are several.
func (w *Writer) send(ctx context.Context) error {
	leader := w.leaders[w.pending[0]]
	for _, lane := range w.pending {
		if w.leaders[lane] != leader {
			return w.sendMany(ctx)
		}
	}
	return w.sendTo(ctx, leader)
}

func (w *Writer) sendMany(ctx context.Context) error {
	brokers := map[int]bool{}
	for _, lane := range w.pending {
		brokers[w.leaders[lane]] = true
	}
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		errs  []error
	)
	for broker := range brokers {
		group.Go(func() {
			if err := w.sendTo(ctx, broker); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// sendTo sends the pending lanes that broker leads, and notes the answers. Each
// lane belongs to one broker, so parallel calls touch different answers.
func (w *Writer) sendTo(ctx context.Context, broker int) error {
	parts := make([]rawproduce.RequestPartition, 0, len(w.pending))
	for _, lane := range w.pending {
		if w.leaders[lane] == broker {
			parts = append(parts, rawproduce.RequestPartition{
				Partition: int32(lane),
				RecordSet: protocol.RawRecordSet{Reader: bytes.NewReader(w.lanes[lane].batches[0].buf)},
			})
		}
	}
	response, err := w.transport.RoundTrip(ctx, kafka.TCP(w.conn.Brokers...), &rawproduce.Request{
		Acks: int16(kafka.RequireAll), Timeout: int32(requestTimeout.Milliseconds() / 2),
		Topics: []rawproduce.RequestTopic{{Topic: w.topic, Partitions: parts}},
	})
	if err != nil {
		return err
	}
	result, ok := response.(*produce.Response)
	if !ok {
		return fmt.Errorf("kafka: a produce request was answered with %T", response)
	}
	for _, topic := range result.Topics {
		for _, p := range topic.Partitions {
			if int(p.Partition) < len(w.answers) {
				w.answers[p.Partition] = answer{code: kafka.Error(p.ErrorCode), base: p.BaseOffset}
			}
		}
	}
	return nil
}
