package awsfake

import (
	"fmt"
	"maps"
	"strings"

	"mishap/internal/awsfake/policy"
)

// A table of DynamoDB and a stream of Kinesis.
const (
	Table  Kind = "arn:aws:dynamodb:{region}:{account}:table/{id}"
	Stream Kind = "arn:aws:kinesis:{region}:{account}:stream/{id}"
)

func dynamoDB() Service {
	table, arn := onNameOrARN(Table, "TableName"), onNameOrARN(Table, "ResourceArn")
	return Service{prefix: "dynamodb", policied: true, actions: map[string]action{
		"ListTables":           {do: listTables},
		"DescribeTable":        {do: describeTable, needs: table},
		"ListTagsOfResource":   {do: tableTags, needs: arn},
		"GetResourcePolicy":    {do: getTablePolicy, needs: arn},
		"PutResourcePolicy":    {do: putTablePolicy, needs: arn},
		"DeleteResourcePolicy": {do: deleteTablePolicy, needs: arn},
		"GetItem":              {do: getItem, needs: table},
		"PutItem":              {do: putItem, needs: table},
		"Query":                {do: queryItems, needs: table},
		"Scan":                 {do: queryItems, needs: table},
	}}
}

// AddTable seeds a table whose key is "id", with a policy or none.
func (c *Cloud) AddTable(p Place, name, policy string, tags map[string]string) (arn string) {
	defer c.lock()()
	return c.plant(p, Table, name, Doc{"TableName": name, "TableArn": Table.ARN(p, name), "TableStatus": "ACTIVE", "ItemCount": 0,
		"KeySchema": []Doc{{"AttributeName": "id", "KeyType": "HASH"}}, "AttributeDefinitions": []Doc{{"AttributeName": "id", "AttributeType": "S"}},
		"CreationDateTime": c.at, "_policy": policy, "RevisionId": "1", "_tags": maps.Clone(tags)})
}

// onNameOrARN is the permission for what a call names, or whose ARN it has.
func onNameOrARN(kind Kind, key string) func(k *call) []Need {
	return func(k *call) []Need { return []Need{{Resource: named(k, kind, key)}} }
}

func named(k *call, kind Kind, key string) string {
	if name := k.in.Str(key); !strings.HasPrefix(name, "arn:") {
		return kind.ARN(k.Place, name)
	}
	return k.in.Str(key)
}

// table is the one that the call names, as it is seen.
func (k *call) table(key string) (Doc, error) {
	if d := k.seen(named(k, Table, key)); d != nil && k.now(d.Str("_arn")) != nil {
		return d, nil
	}
	return nil, &Error{Code: "ResourceNotFoundException", Message: "Requested resource not found: Table: " + k.in.Str(key) + " not found"}
}

func listTables(k *call) (Doc, error) {
	k.pageSize = 100
	names, from := []string{}, k.in.Str("ExclusiveStartTableName")
	all := k.list(k.Place, Table, true)
	for i, d := range all {
		if d.Str("TableName") == from {
			all = all[i+1:]
			break
		}
	}
	page, next := k.paged(all, "", "Limit")
	for _, d := range page {
		names = append(names, d.Str("TableName"))
	}
	out := Doc{"TableNames": names}
	if next != nil {
		out["LastEvaluatedTableName"] = names[len(names)-1]
	}
	return out, nil
}

func describeTable(k *call) (Doc, error) {
	d, err := k.table("TableName")
	if err != nil {
		return nil, err
	}
	shown := maps.Clone(d)
	delete(shown, "RevisionId")
	return Doc{"Table": shown}, nil
}

func tableTags(k *call) (Doc, error) {
	d, err := k.table("ResourceArn")
	if err != nil {
		return nil, err
	}
	return Doc{"Tags": pairs(tags(d), "Key", "Value")}, nil
}

func noPolicy(k *call) *Error {
	return &Error{Code: "PolicyNotFoundException", Message: "Resource-based policy not found for the provided ResourceArn: " + k.in.Str("ResourceArn")}
}

func getTablePolicy(k *call) (Doc, error) {
	d, err := k.table("ResourceArn")
	if err == nil && d.Str("_policy") == "" {
		err = noPolicy(k)
	}
	if err != nil {
		return nil, err
	}
	return Doc{"Policy": d["_policy"], "RevisionId": d["RevisionId"]}, nil
}

// changeTablePolicy writes a policy if it still is what the caller last saw.
func changeTablePolicy(k *call, text string) (Doc, error) {
	if _, err := k.table("ResourceArn"); err != nil {
		return nil, err
	}
	now := k.now(named(k, Table, "ResourceArn"))
	expected, is := k.in.Str("ExpectedRevisionId"), now.Str("RevisionId")
	if now.Str("_policy") == "" {
		is = "NO_POLICY"
	}
	switch _, err := policy.Parse(text); {
	case expected != "" && expected != is:
		return nil, noPolicy(k)
	case text != "" && (err != nil || len(text) > 20480):
		return nil, &Error{Code: "ValidationException", Message: "Policy document is invalid or exceeds 20 KB"}
	}
	revision := fmt.Sprint(now.Int("RevisionId", 0) + 1)
	k.edit(now.Str("_arn"), func(d Doc) { d["_policy"], d["RevisionId"] = text, revision })
	return Doc{"RevisionId": revision}, nil
}

func putTablePolicy(k *call) (Doc, error) { return changeTablePolicy(k, k.in.Str("Policy")) }

func deleteTablePolicy(k *call) (Doc, error) { return changeTablePolicy(k, "") }

func getItem(k *call) (Doc, error) {
	d, err := k.table("TableName")
	if err != nil {
		return nil, err
	}
	id := k.in.Str("Key.id.S")
	for _, item := range k.now(d.Str("_arn")).Docs("_items") {
		if item.Str("id.S") == id {
			return Doc{"Item": item}, nil
		}
	}
	return Doc{}, nil
}

func putItem(k *call) (Doc, error) {
	d, err := k.table("TableName")
	if err != nil {
		return nil, err
	}
	item := Doc(k.in["Item"].(map[string]any))
	k.edit(d.Str("_arn"), func(d Doc) { d["_items"] = append(d.Docs("_items"), item) })
	return Doc{}, nil
}

// queryItems answers with all: conditions are not understood.
func queryItems(k *call) (Doc, error) {
	d, err := k.table("TableName")
	if err != nil {
		return nil, err
	}
	all := k.now(d.Str("_arn")).Docs("_items")
	return Doc{"Items": all, "Count": len(all), "ScannedCount": len(all)}, nil
}

func kinesis() Service {
	stream, arn := onStream, onNameOrARN(Stream, "ResourceARN")
	return Service{prefix: "kinesis", policied: true, actions: map[string]action{
		"ListStreams":           {do: listStreams},
		"DescribeStreamSummary": {do: describeStream, needs: stream},
		"ListTagsForStream":     {do: streamTags, needs: stream},
		"ListTagsForResource":   {do: streamTags, needs: stream},
		"GetResourcePolicy":     {do: getStreamPolicy, needs: arn},
		"PutResourcePolicy":     {do: putStreamPolicy, needs: arn},
		"DeleteResourcePolicy":  {do: deleteStreamPolicy, needs: arn},
		"PutRecord":             {do: putRecord, needs: stream},
		"GetShardIterator":      {do: shardIterator, needs: stream},
	}}
}

// AddStream seeds a stream, with a policy or none.
func (c *Cloud) AddStream(p Place, name, policy string, tags map[string]string) (arn string) {
	defer c.lock()()
	return c.plant(p, Stream, name, Doc{"StreamName": name, "StreamARN": Stream.ARN(p, name), "StreamStatus": "ACTIVE", "OpenShardCount": 1,
		"RetentionPeriodHours": 24, "StreamCreationTimestamp": c.at, "EnhancedMonitoring": []Doc{}, "_policy": policy, "_tags": maps.Clone(tags)})
}

// streamARN is that of the stream which the call names in one of three ways.
func streamARN(k *call) string {
	for _, key := range []string{"StreamARN", "ResourceARN", "StreamName"} {
		if k.in.Has(key) {
			return named(k, Stream, key)
		}
	}
	return ""
}

func onStream(k *call) []Need { return []Need{{Resource: streamARN(k)}} }

func (k *call) stream() (Doc, error) {
	if d := k.seen(streamARN(k)); d != nil && k.now(d.Str("_arn")) != nil {
		return d, nil
	}
	return nil, &Error{Code: "ResourceNotFoundException", Message: "Stream " + streamARN(k) + " not found."}
}

func listStreams(k *call) (Doc, error) {
	k.pageSize = 100
	page, next := k.paged(k.list(k.Place, Stream, true), "NextToken", "Limit")
	names, summaries := []string{}, []Doc{}
	for _, d := range page {
		names = append(names, d.Str("StreamName"))
		summaries = append(summaries, Doc{"StreamName": d["StreamName"], "StreamARN": d["StreamARN"], "StreamStatus": d["StreamStatus"]})
	}
	return Doc{"StreamNames": names, "StreamSummaries": summaries, "HasMoreStreams": next != nil, "NextToken": next}, nil
}

func describeStream(k *call) (Doc, error) {
	d, err := k.stream()
	if err != nil {
		return nil, err
	}
	return Doc{"StreamDescriptionSummary": d}, nil
}

func streamTags(k *call) (Doc, error) {
	d, err := k.stream()
	if err != nil {
		return nil, err
	}
	return Doc{"Tags": pairs(tags(d), "Key", "Value"), "HasMoreTags": false}, nil
}

func getStreamPolicy(k *call) (Doc, error) {
	d, err := k.stream()
	if err == nil && d.Str("_policy") == "" {
		err = &Error{Code: "ResourceNotFoundException", Message: "No resource policy found for resource ARN " + k.in.Str("ResourceARN")}
	}
	if err != nil {
		return nil, err
	}
	return Doc{"Policy": d["_policy"]}, nil
}

func putStreamPolicy(k *call) (Doc, error) {
	text := k.in.Str("Policy")
	if _, err := policy.Parse(text); err != nil || len(text) > 20480 {
		return nil, &Error{Code: "InvalidArgumentException", Message: "Policy document is invalid or exceeds 20 KB"}
	}
	_, err := k.stream()
	k.edit(streamARN(k), func(d Doc) { d["_policy"] = text })
	return Doc{}, err
}

func deleteStreamPolicy(k *call) (Doc, error) {
	d, err := k.stream()
	if err == nil && k.now(d.Str("_arn")).Str("_policy") == "" {
		err = &Error{Code: "ResourceNotFoundException", Message: "No resource policy found for resource ARN " + k.in.Str("ResourceARN")}
	}
	if err == nil {
		k.edit(streamARN(k), func(d Doc) { d["_policy"] = "" })
	}
	return Doc{}, err
}

func putRecord(k *call) (Doc, error) {
	_, err := k.stream()
	k.ids++
	return Doc{"ShardId": "shardId-000000000000", "SequenceNumber": fmt.Sprint(k.ids)}, err
}

func shardIterator(k *call) (Doc, error) {
	_, err := k.stream()
	return Doc{"ShardIterator": "iterator"}, err
}
