import torch
from sklearn.metrics import confusion_matrix

from windtunnel.evaluation.confusion import ConfusedPair, count_confusions, find_confused_pairs


def test_confusion_matrix_equals_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    predicted, labels = (torch.randint(0, 5, (100,), generator=generator) for _ in range(2))
    expected = confusion_matrix(labels, predicted, labels=range(6))
    assert count_confusions(predicted, labels, 6).tolist() == expected.tolist()


def test_pairs_count_both_directions_and_the_worst_comes_first() -> None:
    confusion = torch.tensor([[9, 3, 0], [4, 8, 1], [0, 5, 7]])
    names = ("cat", "dog", "horse")
    first = ConfusedPair("dog", "cat", first_as_second=4, second_as_first=3)
    second = ConfusedPair("horse", "dog", first_as_second=5, second_as_first=1)
    assert find_confused_pairs(confusion, names, count=9) == (first, second)
    assert find_confused_pairs(confusion, names, count=1) == (first,)


def test_a_perfect_network_confuses_nothing() -> None:
    assert find_confused_pairs(torch.eye(3, dtype=torch.int64), ("a", "b", "c"), count=5) == ()
