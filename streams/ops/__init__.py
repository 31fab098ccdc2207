"""Operations: topics, the doctor, and a real Kafka for development and tests."""
