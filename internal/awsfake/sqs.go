package awsfake

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mishap/internal/awsfake/policy"
)

// Queue is one of SQS.
const Queue Kind = "arn:aws:sqs:{region}:{account}:{id}"

func sqs() Service {
	queue := func(k *call) []Need { return []Need{{Resource: queueARN(k)}} }
	return Service{prefix: "sqs", policied: true, actions: map[string]action{
		"ListQueues":         {do: listQueues},
		"GetQueueUrl":        {do: getQueueURL, needs: on(Queue, "QueueName")},
		"GetQueueAttributes": {do: getQueueAttributes, needs: queue},
		"SetQueueAttributes": {do: setQueueAttributes, needs: queue},
		"ListQueueTags":      {do: queueTags, needs: queue},
		"SendMessage":        {do: sendMessage, needs: queue},
		"ReceiveMessage":     {do: receiveMessage, needs: queue},
		"DeleteMessage":      {do: deleteMessage, needs: queue},
	}}
}

// AddQueue seeds a queue, with a policy or none.
func (c *Cloud) AddQueue(p Place, name, policy string, tags map[string]string) (url string) {
	defer c.lock()()
	c.plant(p, Queue, name, Doc{"_policy": policy, "_url": queueURL(p, name), "_tags": maps.Clone(tags)})
	return queueURL(p, name)
}

func queueURL(p Place, name string) string {
	return "https://sqs." + p.Region + ".amazonaws.com/" + p.Account + "/" + name
}

// queueARN is that of the queue whose URL the call names.
func queueARN(k *call) string {
	parts := strings.Split(k.in.Str("QueueUrl"), "/")
	return Queue.ARN(Place{parts[max(0, len(parts)-2)], k.Region}, parts[len(parts)-1])
}

func noQueue() *Error {
	return &Error{Code: "QueueDoesNotExist", Query: "AWS.SimpleQueueService.NonExistentQueue", Message: "The specified queue does not exist."}
}

func listQueues(k *call) (Doc, error) {
	found := []Doc{}
	for _, q := range k.list(k.Place, Queue, true) {
		if strings.HasPrefix(q.Str("_id"), k.in.Str("QueueNamePrefix")) {
			found = append(found, q)
		}
	}
	page, next := k.paged(found, "NextToken", "MaxResults")
	urls := []string{}
	for _, q := range page {
		urls = append(urls, q.Str("_url"))
	}
	return Doc{"QueueUrls": urls, "NextToken": next}, nil
}

func getQueueURL(k *call) (Doc, error) {
	d := k.seen(Queue.ARN(k.Place, k.in.Str("QueueName")))
	if d == nil {
		return nil, noQueue()
	}
	return Doc{"QueueUrl": d["_url"]}, nil
}

func getQueueAttributes(k *call) (Doc, error) {
	d := k.seen(queueARN(k))
	if d == nil {
		return nil, noQueue()
	}
	all := map[string]string{"QueueArn": queueARN(k), "ApproximateNumberOfMessages": fmt.Sprint(len(d.Docs("_messages"))), "VisibilityTimeout": "30"}
	maps.Copy(all, d.Map("_attributes"))
	if text := d.Str("_policy"); text != "" {
		all["Policy"] = text
	}
	if asked := k.in.Strs("AttributeNames"); !slices.Contains(asked, "All") {
		maps.DeleteFunc(all, func(name, _ string) bool { return !slices.Contains(asked, name) })
	}
	if len(all) == 0 {
		return Doc{}, nil
	}
	return Doc{"Attributes": all}, nil
}

func setQueueAttributes(k *call) (Doc, error) {
	if k.now(queueARN(k)) == nil {
		return nil, noQueue()
	}
	asked := k.in.Map("Attributes")
	text, has := asked["Policy"]
	if _, err := policy.Parse(text); has && text != "" && (err != nil || len(text) > 20480) {
		return nil, &Error{Code: "InvalidAttributeValue", Message: "Invalid value for the parameter Policy."}
	}
	k.edit(queueARN(k), func(d Doc) {
		if has {
			d["_policy"] = text
		}
		delete(asked, "Policy")
		all := d.Map("_attributes")
		if maps.Copy(all, asked); len(all) > 0 {
			d["_attributes"] = all
		}
	})
	return Doc{}, nil
}

func queueTags(k *call) (Doc, error) {
	d := k.seen(queueARN(k))
	if d == nil {
		return nil, noQueue()
	}
	return Doc{"Tags": tags(d)}, nil
}

func sendMessage(k *call) (Doc, error) {
	if k.now(queueARN(k)) == nil {
		return nil, noQueue()
	}
	k.ids++
	id, body := fmt.Sprintf("message-%d", k.ids), k.in.Str("MessageBody")
	sum := md5.Sum([]byte(body))
	message := Doc{"MessageId": id, "ReceiptHandle": id, "Body": body, "MD5OfBody": hex.EncodeToString(sum[:])}
	k.edit(queueARN(k), func(d Doc) { d["_messages"] = append(d.Docs("_messages"), message) })
	return Doc{"MessageId": id, "MD5OfMessageBody": message["MD5OfBody"]}, nil
}

// receiveMessage hides nothing from others.
func receiveMessage(k *call) (Doc, error) {
	d := k.now(queueARN(k))
	if d == nil {
		return nil, noQueue()
	}
	all := d.Docs("_messages")
	return Doc{"Messages": all[:min(len(all), k.in.Int("MaxNumberOfMessages", 1))]}, nil
}

func deleteMessage(k *call) (Doc, error) {
	if k.now(queueARN(k)) == nil {
		return nil, noQueue()
	}
	k.edit(queueARN(k), func(d Doc) {
		d["_messages"] = slices.DeleteFunc(d.Docs("_messages"), func(m Doc) bool { return m.Str("ReceiptHandle") == k.in.Str("ReceiptHandle") })
	})
	return Doc{}, nil
}
