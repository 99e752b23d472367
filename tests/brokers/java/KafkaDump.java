// KafkaDump BOOTSTRAP TOPIC: prints everything that is in the topic when it starts, one JSON document a line, in order
// within each partition:
//   {"partition":0,"java_partition":0,"offset":7,"timestamp":1780000000000,"key":"d1","headers":{"ce_id":"..."},"value":"..."}
// java_partition is where the Java client's own partitioner would have put the key (-1 without one).
// Only committed records are read. Keys, header values and values are taken as UTF-8. Exit status 1 if the end is not
// reached within a minute. It shares no code with the gateway's client: that is its use.
import java.io.BufferedWriter;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.utils.Utils;

public final class KafkaDump {
  private static final long MOST_NS = 60_000_000_000L;

  public static void main(String[] args) throws Exception {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", args[0]);
    properties.put("isolation.level", "read_committed");
    properties.put("enable.auto.commit", "false");
    properties.put("auto.offset.reset", "earliest");
    long until = System.nanoTime() + MOST_NS;
    StringBuilder line = new StringBuilder();
    try (KafkaConsumer<byte[], byte[]> consumer =
            new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        BufferedWriter out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8))) {
      List<TopicPartition> partitions = new ArrayList<>();
      for (PartitionInfo info : consumer.partitionsFor(args[1])) {
        partitions.add(new TopicPartition(info.topic(), info.partition()));
      }
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (!atEnd(consumer, ends)) {
        if (System.nanoTime() > until) {
          System.err.println("the end of the topic was not reached in time");
          System.exit(1);
        }
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
          line.setLength(0);
          describe(record, partitions.size(), line);
          out.write(line.append('\n').toString());
        }
      }
    }
  }

  private static boolean atEnd(KafkaConsumer<byte[], byte[]> consumer, Map<TopicPartition, Long> ends) {
    for (Map.Entry<TopicPartition, Long> end : ends.entrySet()) {
      if (consumer.position(end.getKey()) < end.getValue()) return false;
    }
    return true;
  }

  private static void describe(ConsumerRecord<byte[], byte[]> record, int partitions, StringBuilder line) {
    byte[] key = record.key();
    int expected = key == null ? -1 : Utils.toPositive(Utils.murmur2(key)) % partitions;
    line.append("{\"partition\":").append(record.partition());
    line.append(",\"java_partition\":").append(expected);
    line.append(",\"offset\":").append(record.offset());
    line.append(",\"timestamp\":").append(record.timestamp());
    line.append(",\"key\":");
    text(key, line);
    line.append(",\"headers\":{");
    String separator = "";
    for (Header header : record.headers()) {
      line.append(separator);
      text(header.key().getBytes(StandardCharsets.UTF_8), line);
      line.append(':');
      text(header.value(), line);
      separator = ",";
    }
    line.append("},\"value\":");
    text(record.value(), line);
    line.append('}');
  }

  private static void text(byte[] bytes, StringBuilder line) {
    if (bytes == null) {
      line.append("null");
      return;
    }
    line.append('"');
    String characters = new String(bytes, StandardCharsets.UTF_8);
    for (int i = 0; i < characters.length(); i++) {
      char c = characters.charAt(i);
      if (c == '"' || c == '\\') {
        line.append('\\').append(c);
      } else if (c < 0x20) {
        line.append(String.format("\\u%04x", (int) c));
      } else {
        line.append(c);
      }
    }
    line.append('"');
  }
}
